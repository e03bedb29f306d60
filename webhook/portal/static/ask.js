// Questions to the server while a form is filled in: one request at a time, and of what changes meanwhile only the newest.

import { csrf } from "./portal.js";

/** Return a function that asks `url`. `collect` returns what is asked about (`sent`), the fields (`pairs`) and whether
    there is `more` to ask; or null. `show` gets `sent` and the answer, null if there is none. */
export function asker(url, collect, show) {
  let isBusy = false;
  let isDue = false;
  return async () => {
    isDue = true;
    if (isBusy) return;
    isBusy = true;
    while (isDue) {
      const question = collect();
      isDue = Boolean(question?.more);
      if (question) show(question.sent, question.pairs.length ? await answerOf(url, question.pairs) : null);
    }
    isBusy = false;
  };
}

async function answerOf(url, pairs) {
  try {
    const headers = { Accept: "application/json", "X-CSRF-Token": csrf() };
    const response = await fetch(url, { method: "POST", headers, body: new URLSearchParams(pairs) });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // the page is being left, or the server is away: the form says it when it is sent
  }
}
