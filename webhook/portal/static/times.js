// Times are sent in UTC and say so. This shows them in the reader's time zone; the title keeps the time in UTC.

const FIELDS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
const zoned = new Intl.DateTimeFormat("en-US", FIELDS);

function localText(date, isDay) {
  const part = Object.fromEntries(zoned.formatToParts(date).map(({ type, value }) => [type, value]));
  const day = `${part.year}-${part.month}-${part.day}`;
  return isDay ? day : `${day} ${part.hour}:${part.minute} ${part.timeZoneName}`;
}

function show() {
  for (const time of document.querySelectorAll("time[data-time]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    time.title = `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
    time.textContent = localText(date, time.dataset.time === "day");
    time.removeAttribute("data-time"); // once
  }
}

show();
document.addEventListener("htmx:afterSwap", show);
