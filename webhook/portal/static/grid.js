// A grid of text fields with the keyboard of a spreadsheet: arrows, Enter, Esc, Ctrl+Z, and pasting blocks of cells. A row
// is checked by the server when a changed cell is left.

import { asker } from "./ask.js";

const PAUSE = 150; // milliseconds after a change, so that several cells are one request
const plural = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

export function makeGrid(form) {
  const lines = [...form.querySelectorAll("[data-row-number]")].map(lineOf);
  const positions = new Map(lines.flatMap((line, y) => line.cells.map((cell, x) => [cell, { x, y }])));
  const status = form.querySelector("[data-count]");
  const undone = []; // edits, the last one to undo at the end: lists of { cell, before }
  const unchecked = new Set();
  let entered = ""; // text of the active cell before it was edited
  let timer;

  const changed = () => [...positions.keys()].filter(isChanged);
  const count = (note = "") => {
    const cells = changed().length;
    status.textContent = [note, cells ? `${plural(cells, "cell")} changed, not saved yet.` : ""].filter(Boolean).join(" ");
  };
  const ask = asker(
    form.dataset.grid,
    () => {
      const sent = [...unchecked];
      unchecked.clear();
      return sent.length ? { sent, pairs: sent.flatMap(pairsOf) } : null;
    },
    (sent, answer) => sent.filter((line) => !unchecked.has(line)).forEach((line) => showResult(line, answer)),
  );
  const check = (cells) => {
    for (const cell of cells) unchecked.add(lines[positions.get(cell).y]);
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  };
  const put = (edits, note) => {
    for (const { cell, text } of edits) {
      cell.value = text;
      mark(cell);
      if (cell === document.activeElement) entered = text;
    }
    check(edits.map(({ cell }) => cell));
    count(note);
  };
  const edit = (edits, note) => {
    undone.push(edits.map(({ cell }) => ({ cell, text: cell.value })));
    put(edits, note);
  };
  const commit = (cell) => {
    if (cell.value === entered) return;
    undone.push([{ cell, text: entered }]);
    entered = cell.value;
    check([cell]);
    count();
  };
  const restore = (cell) => {
    if (cell.value !== entered) {
      cell.value = entered;
      mark(cell);
    } else if (isChanged(cell)) edit([{ cell, text: cell.dataset.was }]);
    entered = cell.value;
    cell.select();
  };
  const undo = (cell) => {
    if (cell && cell.value !== entered) return restore(cell);
    const edits = undone.pop();
    if (!edits) return status.replaceChildren("Nothing to undo.");
    put(edits, "Undone.");
    go(edits[0].cell);
  };
  const go = (cell) => {
    cell?.focus();
    cell?.select();
  };
  const at = ({ x, y }, right, down) => lines[y + down]?.cells[x + right];

  const onKey = (event) => {
    if (event.isComposing || event.altKey) return;
    const cell = positions.has(event.target) ? event.target : null;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      undo(cell);
    }
    if (!cell || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      event.preventDefault();
      restore(cell);
      return;
    }
    const step = stepOf(event, cell);
    if (!step) return;
    event.preventDefault(); // Enter would send the form
    commit(cell);
    go(at(positions.get(cell), ...step));
  };
  const onPaste = (event) => {
    const cell = positions.has(event.target) ? event.target : null;
    const block = blockOf(event.clipboardData?.getData("text/plain") ?? "");
    if (!cell || (block.length < 2 && block[0].length < 2)) return; // one text: pasted as usual
    event.preventDefault();
    commit(cell);
    const from = positions.get(cell);
    const pairs = block.flatMap((texts, down) => texts.map((text, right) => ({ cell: at(from, right, down), text })));
    const edits = pairs.filter((pair) => pair.cell);
    const left = pairs.length - edits.length;
    edit(edits, `${plural(edits.length, "cell")} pasted${left ? `; ${left.toLocaleString("en-US")} did not fit` : ""}.`);
    go(cell);
  };

  form.addEventListener("focusin", (event) => positions.has(event.target) && (entered = event.target.value));
  form.addEventListener("focusout", (event) => positions.has(event.target) && commit(event.target));
  form.addEventListener("input", (event) => positions.has(event.target) && mark(event.target));
  form.addEventListener("keydown", onKey);
  form.addEventListener("paste", onPaste);
  form.addEventListener("submit", () => clearTimeout(timer));
  // Entries of a page that was gone back to, or that were sent for an earlier state.
  addEventListener("pageshow", () => {
    for (const cell of positions.keys()) mark(cell);
    count();
  });
  for (const cell of positions.keys()) mark(cell);
  form.querySelector("[data-keys]").hidden = false;
}

function lineOf(row) {
  const message = row.nextElementSibling.querySelector("[data-message]");
  const cells = [...row.querySelectorAll("[data-cell]")];
  const wrong = cells.filter((cell) => cell.hasAttribute("aria-invalid"));
  return { number: row.dataset.rowNumber, cells, wrong, message, before: [...message.childNodes] };
}

export const isChanged = (cell) => cell.value !== cell.dataset.was;
const mark = (cell) => cell.classList.toggle("changed", isChanged(cell));
const pairsOf = ({ cells }) =>
  cells.filter(isChanged).flatMap((cell) => [
    [cell.name, cell.value],
    [cell.name.replace("cell-", "was-"), cell.dataset.was],
  ]);

function showResult({ number, wrong, message, before }, answer) {
  const result = answer?.rows[number];
  if (result) {
    const fix = document.createElement("span");
    fix.className = "fix";
    fix.textContent = result.fix;
    message.replaceChildren(result.text, " ", fix);
  } else message.replaceChildren(...before);
  message.classList.toggle("right", Boolean(result?.right));
  for (const cell of wrong) {
    if (result?.right) cell.removeAttribute("aria-invalid");
    else cell.setAttribute("aria-invalid", "true");
  }
}

/** Return where a key leads from a cell, as [columns to the right, rows down]; null if it edits the text. */
function stepOf({ key, shiftKey }, { value, selectionStart, selectionEnd }) {
  if (key === "Enter") return [0, shiftKey ? -1 : 1];
  if (shiftKey) return null;
  if (key === "ArrowUp") return [0, -1];
  if (key === "ArrowDown") return [0, 1];
  const isWhole = selectionStart === 0 && selectionEnd === value.length;
  const isPoint = selectionStart === selectionEnd;
  if (key === "ArrowLeft" && selectionStart === 0 && (isWhole || isPoint)) return [-1, 0];
  if (key === "ArrowRight" && selectionEnd === value.length && (isWhole || isPoint)) return [1, 0];
  return null;
}

/** Return copied cells as rows of texts: lines and tabs, as spreadsheet programs copy them. */
function blockOf(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n");
  return lines.map((line) => line.split("\t").map((cell) => cell.replace(/^"(.*)"$/, (_, inner) => inner.replaceAll('""', '"')).trim()));
}
