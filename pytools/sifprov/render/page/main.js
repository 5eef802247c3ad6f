// Puts it together.

const tableButton = document.getElementById("tabular");
const THEMES = ["", "dark", "light"];

function fold(i) {
  if (i === null) return;
  toggle(i);
  redraw(i);
  focusBox(i);
}

function toggleGroup(i) {
  if (!state.open.delete(i)) state.open.add(i);
  redraw(i);
  if (state.selected === i && !panel.hidden) openPanel(i);
}

// A click or Enter: details; a group opens or closes too.
function activate(i, byKey) {
  if (i === null) return;
  if (boxes[i].members.length) toggleGroup(i);
  openPanel(i);
  state.current = i;
  mark();
  if (byKey) focusBox(i);
}

function clicked(event) {
  const at = document.elementFromPoint(event.clientX, event.clientY);
  const tile = at && at.closest(".tile"), node = at && at.closest("[data-i]");
  if (tile) openPanel(drawnIn.get(tile.dataset.item), tile.dataset.item);
  else if (node && at.closest("[data-sign]")) fold(Number(node.dataset.i));
  else if (node && node.classList.contains("alias")) go(boxes[Number(node.dataset.i)].id);
  else if (node) activate(Number(node.dataset.i), false);
  else if (!panel.hidden) closePanel();
}

function showAll() {
  expandAll();
  redraw(state.current);
}

function showLess() {
  collapseAll();
  draw();
  begin();
}

function toggleTable() {
  const on = document.body.classList.toggle("tabular");
  tableButton.setAttribute("aria-pressed", on);
  bring(state.current, true);
}

function nextTheme() {
  const now = document.documentElement.dataset.theme || "";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  document.getElementById("theme").textContent = `Theme: ${next || "auto"}`;
}

function legend() {
  const present = new Set(boxes.map(box => box.kind)), list = document.getElementById("legend");
  const add = (kind, name, shape) => {
    const icon = make("svg", { class: "drawn", viewBox: "-2 -2 18 18", "aria-hidden": true });
    icon.append(make("g", { class: `box ${kind}` }, shape));
    list.append(element("li", {}, icon, name));
  };
  for (const [kind, name] of Object.entries(data.kinds)) {
    if (present.has(kind)) add(kind, name, make("path", { class: "icon", d: data.icons[kind] }));
  }
  const flags = new Set(boxes.flatMap(box => box.flags));
  for (const flag of ["target", "missing", "embedded"]) {
    const frame = make("rect", { class: "outline", width: 14, height: 14, rx: 3 });
    if (flags.has(flag)) add(`data is-${flag}`, data.flags[flag], frame);
  }
}

function start() {
  document.body.classList.remove("plain");
  const press = (id, act) => document.getElementById(id).addEventListener("click", act);
  press("zoom-in", () => zoom(1.25));
  press("zoom-out", () => zoom(0.8));
  press("fit", fit);
  press("all", showAll);
  press("less", showLess);
  press("tabular", toggleTable);
  press("theme", nextTheme);
  press("help", () => document.getElementById("keys").showModal());
  document.querySelector("#table tbody").addEventListener("click", event => {
    const row = event.target.closest("tr");
    if (row) go(row.dataset.id);
  });
  bindView(clicked);
  bindSearch();
  bindKeys();
  legend();
  collapseAll();
  const small = !state.closed.size;
  for (const id of ["all", "less"]) document.getElementById(id).hidden = small;
  draw();
  begin();
}

start();
