// The documentation: tabs over the samples of an operation, and buttons that copy source text.
// Without JavaScript, all samples are shown one after the other.

const KEY = "numberyard-sample";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

function store(title) {
  try {
    localStorage.setItem(KEY, title);
  } catch {
    // The choice is for this page only.
  }
}

function addTabs(section) {
  const panels = [...section.querySelectorAll("[data-sample]")];
  const list = document.createElement("div");
  list.className = "sample-tabs";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Samples");
  const tabs = panels.map((panel) => {
    const tab = document.createElement("button");
    const title = panel.dataset.sample;
    tab.type = "button";
    tab.id = `tab-${title}`;
    tab.textContent = title;
    tab.setAttribute("role", "tab");
    panel.id = `sample-${title}`;
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.querySelector("h3").hidden = true;
    list.append(tab);
    return tab;
  });

  function select(index) {
    tabs.forEach((tab, position) => {
      const isSelected = position === index;
      tab.setAttribute("aria-selected", String(isSelected));
      tab.tabIndex = isSelected ? 0 : -1;
      panels[position].hidden = !isSelected;
    });
  }

  function choose(index) {
    select(index);
    tabs[index].focus();
    store(panels[index].dataset.sample);
  }

  tabs.forEach((tab, index) => tab.addEventListener("click", () => choose(index)));
  list.addEventListener("keydown", (event) => {
    const current = tabs.indexOf(document.activeElement);
    const next = {
      ArrowRight: (current + 1) % tabs.length,
      ArrowLeft: (current + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  });
  panels[0].before(list);
  select(Math.max(0, panels.findIndex((panel) => panel.dataset.sample === stored())));
}

function addCopyButton(box) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      button.textContent = "Copied";
      button.classList.add("done");
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => {
      button.textContent = "Copy";
      button.classList.remove("done");
    }, 2000);
  });
  box.append(button);
}

document.querySelectorAll("[data-samples]").forEach(addTabs);
if (navigator.clipboard) document.querySelectorAll(".code-box").forEach(addCopyButton); // only in secure contexts
