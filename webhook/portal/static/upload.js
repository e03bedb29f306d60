// Sends an upload with progress, and explains failures: connection lost, session expired, file too large or of another
// type. The file and the settings stay on the page, so that the upload can be repeated.

const form = document.querySelector("form[data-upload]");
const part = (name) => document.getElementById(`sending${name}`);
const [box, title, bar, text, again, signIn, cancel] = ["", "-title", "-bar", "-text", "-again", "-sign-in", "-cancel"].map(part);
const problem = document.getElementById("upload-problem");
const key = form.elements.namedItem("upload_key");
const input = form.elements.namedItem("file");
const submit = form.querySelector('button[type="submit"]');
const UNITS = ["bytes", "KB", "MB", "GB"];
let request = null;

function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes.toLocaleString("en", { maximumFractionDigits: unit && bytes < 100 ? 1 : 0 })} ${UNITS[unit]}`;
}

function time(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.ceil(seconds))} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Replace the idempotency key, so that a changed form is a new request. */
function newKey() {
  key.value = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fields() {
  return [...form.elements].filter((element) => element.name);
}

/** Show errors above the form, each with a link to its field. `faults`: [name, message] pairs. */
function refuse(faults) {
  clearErrors();
  const list = problem.querySelector("ul");
  list.replaceChildren();
  faults.forEach(([name, message], number) => {
    const item = document.createElement("li");
    item.id = `fault-${number}`;
    const field = fields().find((element) => element.name === name);
    const label = field?.id && document.querySelector(`label[for="${field.id}"]`);
    if (label) {
      const link = document.createElement("a");
      link.href = `#${field.id}`;
      link.textContent = label.firstChild.textContent.trim();
      item.append(link, `: ${message}`);
      field.setAttribute("aria-invalid", "true");
      field.dataset.described = field.getAttribute("aria-describedby") ?? "";
      field.setAttribute("aria-describedby", `${item.id} ${field.dataset.described}`.trim());
      const closed = field.closest("details:not([open])");
      if (closed) closed.open = true;
    } else item.append(message);
    list.append(item);
  });
  problem.hidden = false;
  problem.focus();
}

function clearErrors() {
  problem.hidden = true;
  for (const field of fields()) {
    if (field.dataset.described === undefined) continue;
    field.removeAttribute("aria-invalid");
    field.setAttribute("aria-describedby", field.dataset.described);
    if (!field.dataset.described) field.removeAttribute("aria-describedby");
    delete field.dataset.described;
  }
}

/** Return an error that can be detected before sending, or "". */
function fault(file) {
  if (!file) return "Choose a file first.";
  if (!file.size) return `“${file.name}” is empty. Choose another file.`;
  const largest = Number(form.dataset.largest);
  if (file.size > largest) return `“${file.name}” is ${size(file.size)}; the limit is ${size(largest)}. Split the file.`;
  const name = file.name.toLowerCase();
  const isSupported = form.dataset.endings.split(" ").some((ending) => name.endsWith(ending));
  if (!isSupported && name.includes(".")) return `“${file.name}” isn't a spreadsheet. Save it as .xlsx or .csv and choose that file.`;
  return "";
}

/** Show the state of the upload: sending, arrived, broken, signed-out. */
function show(state, words, more = "") {
  box.hidden = false;
  box.dataset.state = state;
  const busy = state === "sending" || state === "arrived";
  title.textContent = words;
  text.textContent = more;
  bar.hidden = !busy;
  again.hidden = busy;
  signIn.hidden = state !== "signed-out";
  cancel.hidden = state === "arrived";
  cancel.firstElementChild.textContent = busy ? "Cancel" : "Close";
  submit.disabled = true;
}

function hide() {
  box.hidden = true;
  submit.disabled = false;
}

/** Check the connection and the session. Returns the current CSRF token, or the reason for a failure. */
async function ready() {
  let response;
  try {
    response = await fetch(form.dataset.upload, { headers: { Accept: "application/json" }, cache: "no-store" });
  } catch {
    return { broken: true };
  }
  if (response.status === 401) return { signedOut: true };
  const body = await response.json().catch(() => null);
  if (!response.ok) return { refused: body };
  return { token: body.csrf_token };
}

function explain(state) {
  if (state.signedOut) {
    show("signed-out", "You are signed out.", "Sign in in a new tab, then come back and press Try again. Your file and settings are still here.");
    signIn.focus();
  } else if (state.refused) {
    hide();
    refuse([["", [state.refused?.detail, state.refused?.fix].filter(Boolean).join(" ") || "Something went wrong. Try again."]]);
  } else {
    show("broken", "Connection lost.", "Nothing was imported. Check your network, then press Try again. Your file and settings are still here.");
    again.focus();
  }
}

async function send() {
  clearErrors();
  const wrong = fault(input.files[0]);
  if (wrong) {
    refuse([["file", wrong]]);
    return;
  }
  show("sending", `Uploading ${input.files[0].name}`, "Connecting ...");
  bar.value = 0;
  box.scrollIntoView({ block: "nearest" });
  cancel.focus();
  const state = await ready();
  if (box.hidden) return; // cancelled meanwhile
  if (state.token === undefined) explain(state);
  else transfer(state.token);
}

function transfer(token) {
  const startedAt = performance.now();
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-CSRF-Token", token);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const share = total ? loaded / total : 0;
    const seconds = (performance.now() - startedAt) / 1000;
    const left = share > 0.02 && seconds > 1 ? ` · about ${time((seconds / share) * (1 - share))} left` : "";
    bar.value = 100 * share;
    text.textContent = `${size(loaded)} of ${size(total)} · ${Math.floor(100 * share)}%${left}`;
  });
  request.upload.addEventListener("load", () => show("arrived", "Uploaded.", "One moment ..."));
  request.addEventListener("load", answered);
  request.addEventListener("error", lost);
  request.send(new FormData(form));
}

function answered() {
  const { status, response } = request;
  if (status === 201) {
    location.assign(response.location);
    return;
  }
  if (status === 401) explain({ signedOut: true });
  else if (status === 0 || (status >= 500 && !response?.detail)) lost();
  else {
    hide();
    const whole = [response?.detail, response?.fix].filter(Boolean).join(" ") || "Something went wrong. Try again.";
    refuse((response?.errors ?? [{ field: "", message: whole }]).map((error) => [error.field, error.message]));
  }
}

/** Find out why there was no response: the service may have refused before it had received the whole file. */
async function lost() {
  const state = await ready();
  if (!box.hidden) explain(state);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
form.addEventListener("change", newKey);
input.addEventListener("change", () => {
  const [file] = input.files;
  if (file) form.querySelector("[data-drop-words]").textContent = `${file.name} (${size(file.size)})`;
});
again.addEventListener("click", send);
cancel.addEventListener("click", () => {
  request?.abort();
  request = null;
  hide();
  submit.focus();
});
// A page from the back/forward cache has an outdated key and state.
addEventListener("pageshow", (event) => event.persisted && location.reload());
addEventListener("beforeunload", (event) => {
  if (!box.hidden && box.dataset.state === "sending") event.preventDefault();
});
