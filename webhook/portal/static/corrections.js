// Correcting rows: lines say what they would do, and the grid of rows is edited as in a spreadsheet (grid.js). Nothing is
// changed before a form is sent; without JavaScript the forms are the same.

import { asker } from "./ask.js";
import { isChanged, makeGrid } from "./grid.js";

const PAUSE = 150; // milliseconds after a change, so that a click on the form's button comes first

function previewRules(form) {
  const changed = new Set();
  let timer;
  const fields = () => {
    const [cause] = changed; // one at a time: a question has a limited number of rules
    changed.delete(cause);
    return cause ? { sent: cause, pairs: pairsOf(form, cause), more: changed.size > 0 } : null;
  };
  const show = (cause, answer) => {
    if (changed.has(cause)) return; // an answer about it will follow
    for (const line of cause.querySelectorAll("[data-found]")) line.textContent = answer?.rules[line.dataset.found] ?? "";
  };
  const ask = asker(form.dataset.rules, fields, show);
  form.addEventListener("change", (event) => {
    const cause = event.target.closest("[data-cause]");
    if (!cause) return;
    changed.add(cause);
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
}

const pairsOf = (form, cause) => [...new FormData(form)].filter(([name]) => cause.querySelector(`[name="${CSS.escape(name)}"]`));

// Leaving the page, or showing other rows, would lose what was entered in forms that are not being sent.
let sending = null;
const isEntered = (field) => {
  if (!field.matches("input:not([type=hidden]), select")) return false;
  if (field.dataset.was !== undefined) return isChanged(field);
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.options) return !field.selectedOptions[0]?.defaultSelected && field.selectedIndex > 0;
  return field.value !== field.defaultValue;
};
const hasEntries = (form) => form !== sending && [...form.elements].some(isEntered);

document.addEventListener("submit", (event) => (sending = event.target));
addEventListener("pageshow", () => (sending = null));
addEventListener("beforeunload", (event) => {
  if ([...document.querySelectorAll("[data-unsent]")].some(hasEntries)) event.preventDefault();
});
document.addEventListener("htmx:confirm", (event) => {
  const grid = document.querySelector("[data-grid]");
  if (!event.target.matches("[data-rows-link]") || !grid || !hasEntries(grid)) return;
  if (!confirm("The cells that you changed are not saved. Show other rows without saving them?")) event.preventDefault();
});
document.addEventListener("htmx:afterSwap", () => {
  const form = document.querySelector("[data-grid]:not([data-ready])");
  if (!form) return;
  start(form);
  document.getElementById("rows").focus();
});

function start(form) {
  form.dataset.ready = "";
  makeGrid(form);
}

for (const form of document.querySelectorAll("[data-rules]")) previewRules(form);
for (const form of document.querySelectorAll("[data-grid]")) start(form);
