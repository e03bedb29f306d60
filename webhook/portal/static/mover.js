// Two lists with arrows between them (`mover` in user_parts.html): selected items move, by pointer or keyboard. The
// checkboxes of the form, shown without JavaScript, are hidden; those of the items in the right list are checked.

const boxNames = ["left", "right"];

function makeMover(mover) {
  const boxes = Object.fromEntries(boxNames.map((name) => [name, makeBox(mover.querySelector(`[data-box="${name}"]`))]));
  const other = { left: boxes.right, right: boxes.left };
  const status = mover.querySelector("[data-moved]");
  const had = new Set(mover.querySelector("[data-seen]").value.split(" "));
  const { total, totalText } = boxes.left.field.dataset;

  // The left list shows the first numbers, or those of a search; its count is of all numbers that could be there.
  const countLeft = () => {
    if (totalText.endsWith("+")) return totalText;
    const back = boxes.left.items().filter((item) => had.has(valueOf(item))).length;
    const taken = boxes.right.items().filter((item) => !had.has(valueOf(item))).length;
    return Math.max(Number(total) + back - taken, 0).toLocaleString("en-US");
  };

  const update = () => {
    const kept = new Set(boxes.right.items().map(valueOf));
    for (const item of boxes.left.items()) if (kept.has(valueOf(item))) item.remove();
    for (const name of boxNames) boxes[name].show(name === "right");
    boxes.left.count(countLeft());
    boxes.right.count(boxes.right.items().length.toLocaleString("en-US"));
  };
  const move = (to) => {
    const from = other[to];
    const selected = from.selected();
    for (const item of selected) boxes[to].list.append(item);
    boxes[to].sort();
    update();
    boxes[to].selectValues(selected.map(valueOf));
    const count = `${selected.length.toLocaleString("en-US")} number${selected.length === 1 ? "" : "s"}`;
    status.textContent = selected.length ? `${count} moved to ${boxes[to].name}.` : `Select numbers in ${from.name} first.`;
  };

  for (const button of mover.querySelectorAll("[data-move]")) button.addEventListener("click", () => move(button.dataset.move));
  for (const [name, to] of [["left", "right"], ["right", "left"]]) {
    boxes[name].select.addEventListener("dblclick", () => move(to));
    boxes[name].select.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // Enter would submit the form
      move(to);
    });
  }
  boxes.left.list.addEventListener("htmx:afterSwap", update);
  // Move items whose checkbox was changed without JavaScript, or before navigating back, to their list.
  for (const name of boxNames)
    for (const item of boxes[name].items())
      if (inputOf(item).checked !== (name === "right")) other[name].list.append(item);
  for (const name of boxNames) boxes[name].sort();
  mover.querySelector("[data-arrows]").hidden = false;
  update();
}

const inputOf = (item) => item.querySelector("input");
const valueOf = (item) => inputOf(item).value;

function makeBox(field) {
  const list = field.querySelector("ul");
  const legend = field.querySelector("legend");
  const name = legend.firstChild.textContent.trim();
  const select = document.createElement("select");
  select.multiple = true;
  select.size = 10;
  select.setAttribute("aria-label", name);
  for (const help of field.querySelectorAll("[data-plain]")) help.remove();
  list.hidden = true;
  list.before(select);
  const items = () => [...list.children];
  return {
    field,
    name,
    list,
    select,
    items,
    selected: () => {
      const values = new Set([...select.selectedOptions].map((option) => option.value));
      return items().filter((item) => values.has(valueOf(item)));
    },
    selectValues: (values) => {
      for (const option of select.options) option.selected = values.includes(option.value);
    },
    count: (text) => (legend.querySelector("[data-count]").textContent = text),
    sort: () => list.append(...items().sort((a, b) => valueOf(a).localeCompare(valueOf(b)))),
    show: (isRight) => {
      select.replaceChildren(...items().map((item) => new Option(item.textContent.trim(), valueOf(item))));
      for (const item of items()) inputOf(item).checked = isRight;
      const none = field.querySelector("[data-none]");
      if (none) none.hidden = items().length > 0;
    },
  };
}

// A search shows its results while the user types. Enter does not submit the form, and the text is not part of it.
for (const field of document.querySelectorAll("[data-search]")) {
  const input = field.querySelector('input[type="search"]');
  input.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  input.form.addEventListener("submit", (event) => (input.disabled = event.submitter?.name !== "step"));
  input.form.addEventListener("formdata", (event) => input.disabled && event.formData.delete(`${input.name}_was`));
  window.addEventListener("pageshow", () => (input.disabled = false));
}
for (const mover of document.querySelectorAll("[data-mover]")) makeMover(mover);
