// Phone Numbers: buttons count what is ticked. Without this they say what they do, and the server asks for ticks.

const buttons = [...document.querySelectorAll("[data-bulk]")];
const count = document.querySelector("[data-bulk-count]");

function show(chosen) {
  const some = `${chosen.toLocaleString("en-US")} number${chosen === 1 ? "" : "s"}`;
  for (const button of buttons) {
    button.disabled = chosen === 0;
    button.querySelector("span").textContent = chosen ? `${button.dataset.bulkCounted} ${some}` : button.dataset.bulk;
  }
  if (count) count.textContent = chosen ? `${some} selected` : "Select numbers to act on.";
}

document.addEventListener("selection", (event) => show(event.detail.chosen));
// Going back, the browser ticks again what was ticked.
window.addEventListener("pageshow", () => show(document.querySelectorAll("input[data-row]:checked").length));
