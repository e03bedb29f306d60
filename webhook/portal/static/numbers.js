// Phone Numbers: buttons show the count of selected rows. Without JavaScript they have a fixed label, and the server
// reports a missing selection.

const buttons = [...document.querySelectorAll("[data-bulk]")];
const count = document.querySelector("[data-bulk-count]");

function show(selected) {
  const counted = `${selected.toLocaleString("en-US")} number${selected === 1 ? "" : "s"}`;
  for (const button of buttons) {
    button.disabled = selected === 0;
    button.querySelector("span").textContent = selected ? `${button.dataset.bulkCounted} ${counted}` : button.dataset.bulk;
  }
  if (count) count.textContent = selected ? `${counted} selected` : "Select numbers to act on.";
}

document.addEventListener("selection", (event) => show(event.detail.selected));
// Navigating back, the browser restores the checkboxes.
window.addEventListener("pageshow", () => show(document.querySelectorAll("input[data-row]:checked").length));
