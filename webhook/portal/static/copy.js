// Copies what is shown once. Without this it is selected by a click, as a whole.

for (const button of document.querySelectorAll("[data-copy]")) {
  const said = button.parentElement.querySelector("[data-copied]");
  button.hidden = !navigator.clipboard; // which only pages of a safe origin have
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "Your browser blocked copying. Select the text and copy it.";
    }
  });
}
