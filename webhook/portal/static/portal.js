// Makes pages more convenient; everything works without it. Other modules import `toast` and `csrf` from here.

import "./times.js";

const SUCCESS_STAYS = 10_000; // milliseconds; not while the message is hovered or focused

/** The token that requests of scripts send as X-CSRF-Token. */
export const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Show a message top right. kind: success, info, warning, error. */
export function toast(text, kind = "success") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  box.dataset.toast = kind;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "toast-close";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss this message");
  close.textContent = "×";
  box.append(words, close);
  document.getElementById("toasts").append(box);
  hideLater(box);
}

function hideLater(box) {
  if (["warning", "error"].includes(box.dataset.toast)) return;
  let timer;
  // Its space is kept, so that nothing moves under a pointer that is about to click.
  const start = () => (timer = setTimeout(() => box.classList.add("gone"), SUCCESS_STAYS));
  const stop = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) box.addEventListener(name, stop);
  for (const name of ["mouseleave", "focusout"]) box.addEventListener(name, start);
  if (document.hidden) document.addEventListener("visibilitychange", start, { once: true });
  else start();
}

function dismiss(event) {
  const close = event.target.closest?.("[data-dismiss]");
  if (!close) return;
  event.preventDefault();
  const next = document.querySelector("#toasts [data-dismiss]");
  close.closest("[data-toast]").remove();
  (document.querySelector("#toasts [data-dismiss]") ?? (next && document.getElementById("main")))?.focus();
}

// Menus: one at a time, closed by Esc and by a click elsewhere; the edge of a table does not clip them.
const openMenus = () => document.querySelectorAll("details.menu[open]");

function closeMenus(but = null) {
  for (const menu of openMenus()) if (menu !== but) menu.open = false;
}

function onKey(event) {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  closeMenus();
  menu?.querySelector("summary").focus();
}

// The checkbox in a table's head selects all rows. Pages that count selected rows listen for "selection".
function onTick(event) {
  const box = event.target;
  const table = box.closest?.("table");
  if (!table || !(box.matches("[data-select-all]") || box.matches("[data-row]"))) return;
  const rows = [...table.querySelectorAll("input[data-row]:not(:disabled)")];
  const all = table.querySelector("[data-select-all]");
  if (box === all) for (const row of rows) row.checked = all.checked;
  const selected = rows.filter((row) => row.checked).length;
  if (all) {
    all.checked = selected > 0 && selected === rows.length;
    all.indeterminate = selected > 0 && selected < rows.length;
  }
  table.dispatchEvent(new CustomEvent("selection", { bubbles: true, detail: { selected, of: rows.length } }));
}

function onDrop(zone) {
  const input = zone.querySelector('input[type="file"]');
  const words = zone.querySelector("[data-drop-words]");
  const initialText = words.textContent;
  const show = () => (words.textContent = input.files.length ? input.files[0].name : initialText);
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  input.addEventListener("change", show);
  show();
}

document.documentElement.classList.add("scripted");
document.addEventListener("click", (event) => {
  dismiss(event);
  closeMenus(event.target.closest?.("details.menu"));
});
document.addEventListener("keydown", onKey);
document.addEventListener("change", onTick);
document.addEventListener("htmx:configRequest", (event) => (event.detail.headers["X-CSRF-Token"] = csrf()));
// Parts that poll show no message for a single failed request.
document.addEventListener("htmx:responseError", (event) => event.target.matches("[data-live]") || toast("Something went wrong. Reload the page.", "error"));
for (const box of document.querySelectorAll("[data-toast]")) hideLater(box);
for (const zone of document.querySelectorAll("[data-drop]")) onDrop(zone);
