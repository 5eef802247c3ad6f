// Which boxes are shown. What a closed box came from is hidden, unless another way leads there.

// So many boxes are shown at first, and so many more when one is opened.
const FIRST = 40;
const state = {
  closed: new Set(), open: new Set(), // boxes, and groups whose members are shown
  current: null, selected: null, item: null, // the box of the keyboard; what the panel shows
  found: new Set(), hits: new Set(), // items that the search found, and their boxes
};

// All that `starts` came from, through no closed box; and what else the runs on the way made.
function reach(starts, closed) {
  const seen = new Set(starts), stack = [...starts];
  while (stack.length) {
    const i = stack.pop();
    if (closed.has(i)) continue;
    for (const j of before[i]) {
      if (!seen.has(j)) {
        seen.add(j);
        stack.push(j);
      }
    }
  }
  for (const i of [...seen]) if (isActivity(i)) after[i].forEach(j => seen.add(j));
  return seen;
}

const reachable = reach(targets, new Set());
const apart = boxes.map((_, i) => i).filter(i => !reachable.has(i));

function shown() {
  const seen = reach(targets, state.closed);
  apart.forEach(i => seen.add(i));
  return seen;
}

// The boxes at which to close what `starts` came from, so that about `room` boxes show.
function frontier(starts, room, known) {
  const seen = new Set([...known, ...starts]);
  let level = starts;
  for (let first = true; level.length; first = false) {
    const fresh = list => [...new Set(list)].filter(i => !seen.has(i));
    const makers = fresh(level.flatMap(i => before[i]));
    const next = fresh([...makers, ...makers.filter(isActivity).flatMap(i => before[i])]);
    room -= next.length;
    if (room < 0 && !first) return level.filter(i => before[i].some(j => !seen.has(j)));
    next.forEach(i => seen.add(i));
    level = next.filter(i => !isActivity(i));
  }
  return [];
}

function hiddenBehind(i, visible) {
  const seen = new Set(), stack = [i];
  while (stack.length) {
    for (const j of before[stack.pop()]) {
      if (!visible.has(j) && !seen.has(j)) {
        seen.add(j);
        stack.push(j);
      }
    }
  }
  return [...seen].reduce((sum, j) => sum + sizeOf(j), 0);
}

function collapseAll() {
  state.open.clear();
  state.closed = new Set(frontier(targets, FIRST, []));
}

function expandAll() {
  state.closed.clear();
}

// Hides or shows what a box came from; far ancestors stay closed.
function toggle(i) {
  const visible = shown();
  if (before[i].some(j => !visible.has(j))) {
    state.closed.delete(i);
    frontier([i], FIRST, visible).forEach(j => state.closed.add(j));
  } else if (before[i].length) {
    state.closed.add(i);
  }
}

// Opens the shortest way from a shown box back to `i`, and nothing beside it.
function reveal(i) {
  const visible = shown(), from = new Map([[i, -1]]), queue = [i];
  let end = i;
  for (let k = 0; k < queue.length && !visible.has(end); k++) {
    for (const j of after[queue[k]]) {
      if (from.has(j)) continue;
      from.set(j, queue[k]);
      queue.push(j);
      if (visible.has(j)) {
        end = j;
        break;
      }
    }
  }
  if (!visible.has(end)) return;
  const way = [];
  for (let j = end; j !== -1; j = from.get(j)) way.push(j);
  const onWay = new Set(way);
  for (const j of way) {
    if (j !== i || !state.closed.has(j)) state.closed.delete(j);
    for (const side of before[j]) {
      if (!onWay.has(side) && !visible.has(side) && before[side].length) state.closed.add(side);
    }
  }
}
