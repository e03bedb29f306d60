// A browser notification when a job needs its reader or has ended, if the reader clicks the button for it. The tab keeps
// the wish, because the page reloads when the job's state changes. Without JavaScript the button is not shown.

const key = (job) => `notify:${job}`;
// Browsers on Android show notifications only for service workers.
const isPossible = "Notification" in window && isSecureContext && !/Android/.test(navigator.userAgent);
const wish = document.querySelector("[data-notify]");
const notice = document.querySelector("[data-notice]");

function confirmWish() {
  sessionStorage.setItem(key(wish.dataset.notify), "1");
  wish.querySelector("button").hidden = true;
  wish.querySelector("[role=status]").textContent = "You'll get a notification. Keep this tab open.";
}

async function ask() {
  const status = wish.querySelector("[role=status]");
  if ((await Notification.requestPermission()) === "granted") {
    confirmWish();
    status.tabIndex = -1;
    status.focus(); // which the hidden button had
  } else status.textContent = "Your browser doesn't allow notifications from this site.";
}

function show({ notice: job, title, body, last }) {
  if (!sessionStorage.getItem(key(job))) return;
  if (last !== undefined) sessionStorage.removeItem(key(job));
  else if (sessionStorage.getItem(key(job)) === title) return; // this page was only reloaded
  else sessionStorage.setItem(key(job), title);
  if (Notification.permission !== "granted") return;
  const shown = new Notification(title, { body, tag: job });
  shown.addEventListener("click", () => {
    window.focus();
    shown.close();
  });
}

if (isPossible && wish) {
  const isWished = sessionStorage.getItem(key(wish.dataset.notify)) && Notification.permission === "granted";
  wish.hidden = false;
  wish.querySelector("button").addEventListener("click", ask);
  if (isWished) confirmWish();
}
if (isPossible && notice) show(notice.dataset);
