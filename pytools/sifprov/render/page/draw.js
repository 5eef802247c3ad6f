// Draws what is shown. Texts from the data become text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const TILE = { width: 180, height: 26, gap: 6, head: 46, pad: 14 };
const world = document.getElementById("world");
// The boxes as they stand now: number -> { x, y, width, height, hidden, part }.
let drawn = new Map();
let extent = { width: 1, height: 1 };
// All that could be seen: { left, top, right, bottom, layer, build, node, on }. Only what is in the
// window stands in the document, for the browser lays out every text again when the scale changes.
let parts = [];
const sheets = [make("g", {}), make("g", {})];
world.append(...sheets);

function make(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// The size of a box; an open group is a field of tiles.
function measure(i) {
  const box = boxes[i];
  if (!state.open.has(i)) return { width: box.width, height: box.height };
  const n = box.members.length;
  const across = Math.ceil(Math.sqrt((n * 1.4 * (TILE.height + TILE.gap)) / (TILE.width + TILE.gap)));
  const rows = Math.ceil(n / across);
  return {
    across,
    width: across * (TILE.width + TILE.gap) - TILE.gap + 2 * TILE.pad,
    height: TILE.head + rows * (TILE.height + TILE.gap) + TILE.pad,
  };
}

function draw() {
  const visible = shown(), list = [...visible].sort((a, b) => a - b);
  const at = new Map(list.map((i, n) => [i, n])), sizes = list.map(measure);
  const items = list.map((i, n) => ({
    width: sizes[n].width, height: sizes[n].height,
    activity: isActivity(i), light: boxes[i].kind === "application",
  }));
  const used = arrows.filter(a => at.has(a.source) && at.has(a.target));
  const links = used.map(a => ({
    source: at.get(a.source), target: at.get(a.target), revision: a.kind === "revision",
  }));
  const picture = layout(items, links, rowsFor(list.filter(isActivity).length));
  extent = picture;
  drawn = new Map();
  const labelled = new Set();
  parts = picture.lines.map(([n, points]) => edgePart(used[n], points, labelled));
  for (const place of picture.places) {
    const i = list[place.item], part = partOf(place);
    parts.push(part);
    if (place.alias) {
      part.build = () => aliasNode(i, place);
      continue;
    }
    const hidden = before[i].some(j => !visible.has(j)) ? hiddenBehind(i, visible) : 0;
    part.build = () => {
      const node = state.open.has(i) ? fieldNode(i, place, sizes[place.item]) : boxNode(i, place);
      if (before[i].length) node.append(sign(place.height, hidden));
      node.setAttribute("aria-label", spoken(i, hidden));
      dress(i, node);
      return node;
    };
    drawn.set(i, { ...place, hidden, part });
  }
  sheets.forEach(layer => layer.replaceChildren());
  if (!drawn.has(state.current)) state.current = targets.find(i => drawn.has(i)) ?? list[0] ?? null;
  mark();
  const count = list.reduce((sum, i) => sum + sizeOf(i), 0);
  status.textContent = count < total ? `${many(count)} of ${many(total)} shown` : `${many(total)} shown`;
}

function partOf({ x, y, width, height }) {
  return { left: x - 60, top: y - 12, right: x + width + 12, bottom: y + height + 12, layer: 1, on: false };
}

function edgePart(arrow, points, labelled) {
  const heights = points.map(([, y]) => y);
  const name = `${arrow.kind === "made" ? arrow.source : arrow.target} ${arrow.label}`;
  const label = arrow.label && !labelled.has(name);
  if (label) labelled.add(name);
  return {
    left: points[0][0], right: points[points.length - 1][0],
    top: Math.min(...heights) - 16, bottom: Math.max(...heights) + 16,
    layer: 0, on: false, build: () => edge(arrow, points, label),
  };
}

// Puts into the document what is in the window, and the current box, which may have the focus.
function cull() {
  const left = -view.x / view.k, top = -view.y / view.k;
  const right = left + stage.clientWidth / view.k, bottom = top + stage.clientHeight / view.k;
  const current = drawn.has(state.current) ? drawn.get(state.current).part : null;
  for (const part of parts) {
    const on = part === current || onPaper
      || (part.right >= left && part.left <= right && part.bottom >= top && part.top <= bottom);
    if (on === part.on) continue;
    part.on = on;
    if (on) {
      part.node = part.node || part.build();
      sheets[part.layer].append(part.node);
    } else {
      part.node.remove();
    }
  }
}

// A row is as long as the window lets it be read; of very many runs, so that all have its shape.
function rowsFor(activities) {
  const shape = stage.clientWidth / Math.max(1, stage.clientHeight);
  const wide = activities > 100 ? Math.round(Math.sqrt(activities * shape / 4)) : 0;
  const per = Math.max(1, wide, Math.min(6, Math.round(stage.clientWidth / 450)));
  return { per, one: per + 1, far: data.rows.far };
}

function smooth(points) {
  return points.map(([x, y], i) => {
    if (!i) return `M${x} ${y}`;
    const [x1, y1] = points[i - 1], half = Math.floor((x1 + x) / 2);
    return y1 === y || i % 2 === 0 ? `L${x} ${y}` : `C${half} ${y1} ${half} ${y} ${x} ${y}`;
  }).join("");
}

function edge({ source, target, kind, label, flagged }, points, labelled) {
  const names = `arrow ${kind}${flagged ? " flagged" : ""}`;
  const line = make("path", {
    class: names, d: smooth(points), "marker-end": "url(#head)", "data-a": source, "data-b": target,
  });
  near(line);
  if (!labelled) return line;
  const [x, y] = kind === "made" ? points[0] : points[points.length - 1];
  const short = label.length > 11 ? label.slice(0, 10) + "…" : label;
  const place = kind === "made" ? { x: x + 6 } : { x: x - 9, "text-anchor": "end" };
  return make("g", {}, line, make("text", { class: "label", ...place, y: y - 4 }, short));
}

function boxNode(i, { x, y, width, height }) {
  const box = boxes[i];
  const node = frame(i, x, y, box);
  if (box.members.length) {
    for (const step of [8, 4]) {
      const behind = `translate(${step} ${step})`;
      node.append(make("path", { class: "outline", d: box.outline, transform: behind }));
    }
  }
  node.append(
    make("path", { class: "outline", d: box.outline }),
    make("path", { class: "icon", d: data.icons[box.kind], transform: "translate(13 13)" }),
    ...box.texts.map(([tx, ty, style, text]) => make("text", { class: style, x: tx, y: ty }, text)),
  );
  for (const [cx, cy, wide, high, flag, text] of box.chips) {
    node.append(
      make("rect", { class: `chip ${flag}`, x: cx, y: cy, width: wide, height: high, rx: 8 }),
      make("text", { class: `chiptext ${flag}`, x: cx + 7, y: cy + 12 }, text),
    );
  }
  return node;
}

function frame(i, x, y, box) {
  const flags = box.flags.map(flag => ` is-${flag}`).join("");
  const node = make("g", {
    class: `box ${box.kind}${flags}`, transform: `translate(${x} ${y})`,
    "data-i": i, role: "button", tabindex: -1,
  });
  node.append(make("title", {}, named(box).join("\n")));
  return node;
}

function aliasNode(i, { x, y, width, height }) {
  const box = boxes[i], flags = box.flags.map(flag => ` is-${flag}`).join("");
  return make("g", {
    class: `box ${box.kind}${flags} alias`, transform: `translate(${x} ${y})`,
    "data-i": i, "aria-hidden": true,
  },
  make("title", {}, `${box.title}\nshown before`),
  make("rect", { class: "outline", width, height, rx: 14 }),
  make("path", { class: "icon", d: data.icons[box.kind], transform: "translate(11 7)" }),
  make("text", { class: "line", x: 30, y: 18 }, box.alias));
}

function tileAt(n, across) {
  const row = Math.floor(n / across);
  return [TILE.pad + (n % across) * (TILE.width + TILE.gap), TILE.head + row * (TILE.height + TILE.gap)];
}

// An open group: each member is a tile with its name.
function fieldNode(i, { x, y, width, height }, { across }) {
  const box = boxes[i], node = frame(i, x, y, box);
  node.append(
    make("rect", { class: "outline", width, height, rx: 10 }),
    make("path", { class: "icon", d: data.icons[box.kind], transform: "translate(13 13)" }),
    make("text", { class: "title", x: 34, y: 24 }, `${box.title} (Enter closes)`),
  );
  box.members.forEach((id, n) => {
    const item = data.items[id], [left, top] = tileAt(n, across);
    const title = item.title;
    const name = title.length > 25 ? `${title.slice(0, 14)}…${title.slice(-10)}` : title;
    node.append(make("g", {
      class: "tile", "data-item": id, transform: `translate(${left} ${top})`, role: "button",
      "aria-label": named(item).join(", "),
    },
    make("title", {}, named(item).join("\n")),
    make("rect", { width: TILE.width, height: TILE.height, rx: 5 }),
    make("text", { class: "line", x: 9, y: 17 }, name)));
  });
  return node;
}

// The sign at a box's left: what it came from is shown (minus), or how much of it is hidden.
function sign(height, hidden) {
  const text = hidden ? `+${many(hidden)}` : "−";
  const wide = hidden ? 12 + 7 * text.length : 16;
  return make("g", {
    class: `sign${hidden ? " more" : ""}`,
    transform: hidden ? `translate(${6 - wide} ${Math.floor(height / 2) - 8})` : "translate(-8 2)",
    "data-sign": 1, "aria-hidden": true,
  },
  make("rect", { width: wide, height: 16, rx: 8 }),
  make("text", { x: wide / 2, y: 12, "text-anchor": "middle" }, text));
}

function spoken(i, hidden) {
  const more = hidden ? [`${many(hidden)} it came from are hidden`] : [];
  return [...named(boxes[i]), ...more].join(", ");
}

// Shows which box is current, selected, near the selected one, or found by the search.
function mark() {
  for (const [i, { part }] of drawn) if (part.node) dress(i, part.node);
  for (const { layer, node } of parts) {
    if (layer === 0 && node) near(node.classList.contains("arrow") ? node : node.firstChild);
  }
}

function dress(i, node) {
  node.setAttribute("tabindex", i === state.current ? 0 : -1);
  node.classList.toggle("selected", i === state.selected);
  node.classList.toggle("hit", state.hits.has(i));
  node.setAttribute("aria-pressed", i === state.selected);
  for (const tile of state.open.has(i) ? node.querySelectorAll(".tile") : []) {
    tile.classList.toggle("hit", state.found.has(tile.dataset.item));
    tile.classList.toggle("selected", state.item === tile.dataset.item);
  }
}

function near(line) {
  const ends = [line.dataset.a, line.dataset.b];
  line.classList.toggle("near", ends.includes(String(state.selected)));
}
