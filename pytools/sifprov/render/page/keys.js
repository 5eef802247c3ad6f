// The keyboard: arrows walk through the graph, the rest stands in the help.

function focusBox(i) {
  const place = drawn.get(i);
  if (!place) return;
  state.current = i;
  mark();
  bring(i, true);
  place.part.node.focus({ preventScroll: true });
}

const middle = ({ y, height }) => y + height / 2;

// The nearest of some boxes, by height.
function nearest(i, list) {
  const here = drawn.get(i);
  const away = j => Math.abs(middle(drawn.get(j)) - middle(here));
  return list.filter(j => drawn.has(j)).sort((a, b) => away(a) - away(b))[0];
}

// The next box above or below: of those that overlap, or else of all.
function beside(i, down) {
  const here = drawn.get(i);
  let best, least = Infinity;
  for (const [j, place] of drawn) {
    const away = (middle(place) - middle(here)) * (down ? 1 : -1);
    if (j === i || away <= 0) continue;
    const far = away + 3 * Math.abs(place.x + place.width / 2 - here.x - here.width / 2);
    if (far < least) [best, least] = [j, far];
  }
  return best;
}

function walk(key) {
  const i = state.current;
  if (!drawn.has(i)) return;
  const next = {
    ArrowLeft: () => nearest(i, before[i]),
    ArrowRight: () => nearest(i, after[i]),
    ArrowUp: () => beside(i, false),
    ArrowDown: () => beside(i, true),
  }[key]();
  if (next !== undefined) focusBox(next);
}

const PAN = 120;

function pan(key) {
  view.x += { ArrowLeft: PAN, ArrowRight: -PAN }[key] || 0;
  view.y += { ArrowUp: PAN, ArrowDown: -PAN }[key] || 0;
  look();
}

const COMMANDS = {
  "/": () => input.focus(),
  "?": () => document.getElementById("keys").showModal(),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
  0: () => zoom(1 / view.k), f: () => fit(),
  e: () => showAll(), c: () => showLess(), t: () => toggleTable(), d: () => nextTheme(),
  Home: () => { bring(targets[0]); focusBox(targets[0]); },
};

function bindKeys() {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const inGraph = canvas.contains(document.activeElement) || document.activeElement === document.body;
    if (event.target.matches("input")) return;
    if (event.key === "Escape" && !panel.hidden) {
      closePanel();
      focusBox(state.current);
    } else if (inGraph && event.key.startsWith("Arrow")) (event.shiftKey ? pan : walk)(event.key);
    else if (inGraph && event.key === "Enter") activate(state.current, true);
    else if (inGraph && event.key === " ") fold(state.current);
    else if (Object.keys(COMMANDS).includes(event.key)) COMMANDS[event.key]();
    else return;
    event.preventDefault();
  });
}
