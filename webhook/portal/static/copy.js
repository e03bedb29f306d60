// Buttons that copy a secret to the clipboard. Without JavaScript, a click selects the whole secret.

for (const button of document.querySelectorAll("[data-copy]")) {
  const status = button.parentElement.querySelector("[data-copied]");
  button.hidden = !navigator.clipboard; // available only in secure contexts
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      status.textContent = "Copied.";
    } catch {
      status.textContent = "Your browser blocked copying. Select the text and copy it.";
    }
  });
}
