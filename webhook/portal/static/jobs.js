// Announces the progress of a job to screen readers: a new state immediately, progress at most every 15 seconds.
// htmx polls, by attributes of the page; polling pauses while the page is hidden.

const INTERVAL = 15_000; // milliseconds
const spoken = document.getElementById("spoken");
let announcedState = document.getElementById("live")?.dataset.state;
let announcedAt = Date.now();

document.addEventListener("htmx:afterSwap", () => {
  const live = document.getElementById("live");
  if (!spoken || !live) return;
  const { state, words } = live.dataset;
  if (state === announcedState && Date.now() - announcedAt < INTERVAL) return;
  [announcedState, announcedAt] = [state, Date.now()];
  spoken.textContent = `${state}. ${words}`;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});
// A page from the back/forward cache may show an outdated state.
addEventListener("pageshow", (event) => event.persisted && location.reload());
