// Correcting rows: lines say what they would do, and the grid of rows is edited as in a spreadsheet (grid.js). Nothing is
// changed before a form is sent; without JavaScript the forms are the same.

import { asker } from "./ask.js";
import { makeGrid } from "./grid.js";

const PAUSE = 150; // milliseconds after a change, so that a click on the form's button comes first

function previewRules(form) {
  const changed = new Set();
  let timer;
  const fields = () => {
    const sent = [...changed];
    changed.clear();
    return sent.length ? { sent, pairs: sent.flatMap((cause) => pairsOf(form, cause)) } : null;
  };
  const show = (causes, answer) => {
    for (const cause of causes) {
      if (changed.has(cause)) continue; // an answer about it will follow
      for (const line of cause.querySelectorAll("[data-found]")) line.textContent = answer?.rules[line.dataset.found] ?? "";
    }
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

for (const form of document.querySelectorAll("[data-rules]")) previewRules(form);
for (const form of document.querySelectorAll("[data-grid]")) makeGrid(form);
