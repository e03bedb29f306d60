// What a job's page says aloud while the job goes on: another state at once, how far it is at most every 15 seconds.
// Asking itself is htmx's, by the attributes in the page; here it stops while nobody sees the page.

const EVERY = 15_000; // milliseconds
const spoken = document.getElementById("spoken");
let said = document.getElementById("live")?.dataset.state;
let last = Date.now();

document.addEventListener("htmx:afterSwap", () => {
  const live = document.getElementById("live");
  if (!spoken || !live) return;
  const { state, words } = live.dataset;
  if (state === said && Date.now() - last < EVERY) return;
  [said, last] = [state, Date.now()];
  spoken.textContent = `${state}. ${words}`;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});
// A page that the browser kept may tell of a job that has gone on since.
addEventListener("pageshow", (event) => event.persisted && location.reload());
