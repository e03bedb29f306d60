// The progress of a job: in the tab's title, and announced to screen readers: a new state immediately, progress at most
// every 15 seconds. htmx polls, by attributes of the page. While the page is hidden, only a job that runs is polled, and
// rarely.

const INTERVAL = 15_000; // milliseconds
const HIDDEN_INTERVAL = 5_000;
const spoken = document.getElementById("spoken");
let announcedState = document.getElementById("live")?.dataset.state;
let announcedAt = Date.now();
let polledAt = 0;

function announce({ state, words }) {
  if (state === announcedState && Date.now() - announcedAt < INTERVAL) return;
  [announcedState, announcedAt] = [state, Date.now()];
  spoken.textContent = `${state}. ${words}`;
}

function isPaused(part) {
  if (!document.hidden) return false;
  return !part.dataset.tab || Date.now() - polledAt < HIDDEN_INTERVAL;
}

document.addEventListener("htmx:afterSwap", () => {
  const live = document.getElementById("live");
  if (!spoken || !live) return;
  announce(live.dataset);
  document.title = document.title.replace(/^.*(?= - Numberyard$)/, () => live.dataset.tab);
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.target.matches("[data-live]")) return;
  if (isPaused(event.target)) event.preventDefault();
  else polledAt = Date.now();
});
// A page from the back/forward cache may show an outdated state.
addEventListener("pageshow", (event) => event.persisted && location.reload());
