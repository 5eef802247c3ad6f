// Moving and zooming: wheel, pinch, dragging.

const stage = document.getElementById("stage"), canvas = document.getElementById("canvas");
const status = document.getElementById("status");
const view = { x: 0, y: 0, k: 1 };
const LEAST = 0.04, MOST = 4, MARGIN = 32, LEGIBLE = 0.55;

// On paper there is all that is shown, whatever the window shows of it.
let onPaper = false;

function print(on) {
  onPaper = on;
  look();
  if (!on) return canvas.removeAttribute("viewBox");
  canvas.setAttribute("viewBox", `-24 -24 ${extent.width + 48} ${extent.height + 48}`);
  canvas.classList.remove("far", "farther");
  world.removeAttribute("transform");
}

function look() {
  world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
  canvas.classList.toggle("far", view.k < 0.3); // only shapes
  canvas.classList.toggle("farther", view.k < 0.12); // and no lines
  cull();
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const k = Math.min(MOST, Math.max(LEAST, view.k * factor));
  view.x = x - ((x - view.x) * k) / view.k;
  view.y = y - ((y - view.y) * k) / view.k;
  view.k = k;
  look();
}

function fitScale() {
  const wide = (stage.clientWidth - 2 * MARGIN) / extent.width;
  return Math.min(wide, (stage.clientHeight - 3 * MARGIN) / extent.height);
}

function fit() {
  view.k = Math.min(1.2, Math.max(LEAST, fitScale()));
  view.x = (stage.clientWidth - extent.width * view.k) / 2;
  view.y = (stage.clientHeight - MARGIN - extent.height * view.k) / 2;
  look();
}

// At first: all of it, where that can be read; else its end.
function begin() {
  fit();
  const end = drawn.get(targets[0]);
  if (view.k >= LEGIBLE || !end) return;
  view.k = Math.min(1, Math.max(LEGIBLE, (stage.clientWidth - 2 * MARGIN) / extent.width));
  const left = (stage.clientWidth - extent.width * view.k) / 2;
  view.x = left > 0 ? left : stage.clientWidth - MARGIN - (end.x + end.width) * view.k;
  const top = stage.clientHeight * 0.7 - (end.y + end.height / 2) * view.k;
  view.y = Math.min(MARGIN, Math.max(top, stage.clientHeight - 2 * MARGIN - extent.height * view.k));
  look();
}

// Moves a box into the middle, or, with `least`, only as far as it takes to see it.
function bring(i, least, id) {
  const place = drawn.get(i);
  if (!place) return;
  if (view.k < LEGIBLE && !least) view.k = 0.8;
  let [across, down] = [place.width / 2, place.height / 2];
  if (id && state.open.has(i)) {
    const [left, top] = tileAt(boxes[i].members.indexOf(id), measure(i).across);
    [across, down] = [left + TILE.width / 2, top + TILE.height / 2];
  }
  const x = view.x + (place.x + across) * view.k, y = view.y + (place.y + down) * view.k;
  // How far `at` has to move, so that what is around it is inside; or into the middle.
  const move = (at, half, room) => {
    const edge = Math.min(room / 2, half + 24);
    return least ? Math.min(Math.max(at, edge), room - edge) - at : room / 2 - at;
  };
  view.x += move(x, (place.width / 2) * view.k, stage.clientWidth);
  view.y += move(y, (place.height / 2) * view.k, stage.clientHeight);
  look();
}

// Draws again and keeps box `i` where it is on the screen.
function redraw(i) {
  const old = drawn.get(i), focused = canvas.contains(document.activeElement);
  draw();
  const place = drawn.get(i);
  if (old && place) {
    view.x += (old.x - place.x) * view.k;
    view.y += (old.y - place.y) * view.k;
  }
  look();
  if (focused && drawn.has(state.current)) drawn.get(state.current).part.node.focus({ preventScroll: true });
}

function bindView(clicked) {
  const fingers = new Map();
  let moved = 0, spread = 0;
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const { left, top } = canvas.getBoundingClientRect();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    // A pinch on a touchpad comes as a wheel with Ctrl, in smaller steps.
    zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX - left, event.clientY - top);
  }, { passive: false });
  canvas.addEventListener("pointerdown", event => {
    if (event.button) return;
    fingers.set(event.pointerId, event);
    moved = fingers.size > 1 ? Infinity : 0;
    spread = 0;
  });
  canvas.addEventListener("pointermove", event => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    fingers.set(event.pointerId, event);
    const [one, two] = [...fingers.values()];
    if (two) {
      const { left, top } = canvas.getBoundingClientRect();
      const wide = Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
      const x = (one.clientX + two.clientX) / 2 - left, y = (one.clientY + two.clientY) / 2 - top;
      if (spread) zoom(wide / spread, x, y);
      spread = wide;
      return;
    }
    moved += Math.abs(event.clientX - last.clientX) + Math.abs(event.clientY - last.clientY);
    if (moved < 4) return;
    if (!canvas.hasPointerCapture(event.pointerId)) canvas.setPointerCapture(event.pointerId);
    view.x += event.clientX - last.clientX;
    view.y += event.clientY - last.clientY;
    look();
  });
  const lift = event => {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && moved < 4) clicked(event);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  let width = stage.clientWidth;
  new ResizeObserver(() => {
    if (panel.hidden && Math.abs(stage.clientWidth - width) > 200) {
      width = stage.clientWidth;
      redraw(state.current);
    }
    look();
  }).observe(stage);
}
