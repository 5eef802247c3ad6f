// The panel with all that the records say of one container or activity.

const panel = document.getElementById("detail");

function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  Object.assign(node, properties);
  node.append(...children);
  return node;
}

function closePanel() {
  panel.hidden = true;
  state.selected = state.item = null;
  mark();
}

// Shows item `id`, or the group in box `i` where there is no id.
function openPanel(i, id) {
  state.selected = i;
  state.item = id || null;
  const box = boxes[i], group = !id && box.members.length > 0;
  const item = group ? box : data.items[id || box.id];
  const close = element("button", { className: "close", title: "Close (Esc)", textContent: "×" });
  close.setAttribute("aria-label", "Close the details");
  close.addEventListener("click", () => {
    closePanel();
    focusBox(state.current);
  });
  const chips = item.flags.map(flag =>
    element("span", { className: `mark ${flag}`, textContent: data.flags[flag] }));
  panel.replaceChildren(
    close,
    element("p", { className: `kind ${item.kind}`, textContent: group ? "group" : data.kinds[item.kind] }),
    element("h2", { textContent: item.title }),
    element("p", { className: "marks" }, ...chips),
    ...(group ? [members(i)] : item.about.map(([title, rows]) => section(title, rows))),
  );
  if (!group && item.used) panel.querySelector("section").after(usage(item.used));
  const opened = panel.hidden;
  panel.hidden = false;
  panel.scrollTop = 0;
  mark();
  if (opened) bring(i, true); // the graph has less room now
}

function section(title, rows) {
  const list = element("dl", { className: title === "Files" ? "files" : "" });
  for (const [label, text, style, target, more] of rows) {
    const value = style === "link"
      ? [link(text, target), element("small", { textContent: more })]
      : [element(style === "code" ? "code" : "span", { textContent: text })];
    list.append(element("dt", { textContent: label }), element("dd", {}, ...value));
  }
  return element("section", {}, element("h3", { textContent: title }), list);
}

function link(text, id) {
  const button = element("button", { className: "link", textContent: text });
  button.addEventListener("click", () => go(id));
  return button;
}

function members(i) {
  const list = element("ul", { className: "members" });
  for (const id of boxes[i].members) {
    list.append(element("li", {}, link(data.items[id].title, id)));
  }
  const text = state.open.has(i) ? "Close the group" : "Open the group in the graph";
  const button = element("button", { className: "open", textContent: text });
  button.addEventListener("click", () => toggleGroup(i));
  return element("section", {}, button, list);
}

// Goes to an item wherever it is: shows the way to it, selects it and says what it is.
function go(id) {
  const i = drawnIn.get(id);
  reveal(i);
  state.current = i;
  draw();
  openPanel(i, boxes[i].members.length ? id : undefined);
  bring(i, false, id);
}
