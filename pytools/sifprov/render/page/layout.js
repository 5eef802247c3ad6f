// Where the boxes stand: in layers from left to right, in rows as a text is. As layout.py, to the
// pixel: a test compares the two.

const GAP_X = 72, GAP_ROW = 56, ALIAS = { width: 176, height: 28 }, DUMMY = 14;

// items: [{ width, height, activity, light }]; links: [{ source, target, revision }] by number;
// rows: { per, one, far }. Returns { places, lines: [[number, [[x, y], …]], …], width, height }.
function layout(items, links, rows) {
  const { layer, kept } = layers(items, links);
  const cells = [];
  const chains = placeCells(cells, items, links, kept, layer, rows);
  const columns = new Map();
  cells.forEach((cell, i) => {
    const key = cell.row * 1e6 + cell.column;
    if (!columns.has(key)) columns.set(key, []);
    columns.get(key).push(i);
  });
  const order = [...columns.keys()].sort((a, b) => a - b).map(key => columns.get(key));
  orderColumns(cells, order);
  return positions(cells, order, heights(cells, order), chains);
}

function layers(items, links) {
  let { layer, complete } = rank(items, links);
  if (!complete) ({ layer } = rank(items, links.filter(link => !link.revision)));
  const kept = [];
  links.forEach((link, n) => {
    if (layer[link.target] - layer[link.source] >= (link.revision ? 2 : 1)) kept.push(n);
  });
  return { layer, kept };
}

function rank(items, links) {
  const maker = items.map(() => -1), after = items.map(() => []), waits = items.map(() => 0);
  for (const link of links) if (items[link.source].activity) maker[link.target] = link.source;
  const must = (first, second, apart) => {
    after[first].push([second, apart]);
    waits[second]++;
  };
  for (const link of links) {
    must(link.source, link.target, link.revision ? 2 : 1);
    if (link.revision && maker[link.target] >= 0) must(link.source, maker[link.target], 1);
  }
  const ready = [];
  waits.forEach((count, i) => { if (!count) ready.push(i); });
  const layer = items.map(item => (item.activity ? 1 : 0));
  for (let k = 0; k < ready.length; k++) {
    for (const [j, apart] of after[ready[k]]) {
      layer[j] = Math.max(layer[j], layer[ready[k]] + apart);
      if (!--waits[j]) ready.push(j);
    }
  }
  const known = new Set(ready);
  for (let k = ready.length - 1; k >= 0; k--) {
    const nexts = after[ready[k]].filter(([j]) => known.has(j)).map(([j, apart]) => layer[j] - apart);
    if (nexts.length) layer[ready[k]] = nexts.reduce((a, b) => Math.min(a, b));
  }
  for (const i of ready) if (maker[i] >= 0) layer[i] = layer[maker[i]] + 1;
  return { layer, complete: ready.length === items.length };
}

function placeCells(cells, items, links, kept, layer, rows) {
  const deepest = layer.reduce((a, b) => Math.max(a, b), 0);
  const activities = Math.floor((deepest + 1) / 2);
  const count = activities <= rows.one ? 1 : Math.ceil(activities / rows.per);
  const perRow = Math.max(1, Math.ceil(activities / count));
  const made = new Set(kept.filter(n => items[links[n].source].activity).map(n => links[n].target));
  const targets = new Set(kept.map(n => links[n].target));
  const add = (item, alias, size, row, column) => cells.push({
    item, alias, width: size.width, height: size.height, row, column, left: [], right: [],
  }) - 1;
  items.forEach((item, i) => {
    const step = item.activity ? (layer[i] - 1) / 2 : (layer[i] - (made.has(i) ? 2 : 0)) / 2;
    add(i, false, item, Math.floor(Math.max(0, Math.floor(step)) / perRow), layer[i]);
  });
  const aliases = new Map(), chains = [];
  for (const n of kept) {
    const { source, target, revision } = links[n];
    const row = cells[target].row;
    const near = items[source].light && !targets.has(source) ? 1 : rows.far;
    let first = source;
    if (cells[source].row !== row || layer[target] - layer[source] > near) {
      const at = layer[target] - (revision ? 2 : 1), key = `${source} ${at} ${row}`;
      if (!aliases.has(key)) aliases.set(key, add(source, true, ALIAS, row, at));
      first = aliases.get(key);
    }
    const chain = [first];
    for (let column = cells[first].column + 1; column < layer[target]; column++) {
      chain.push(add(-1, false, { width: 0, height: DUMMY }, row, column));
    }
    chain.push(target);
    const weight = items[source].light || revision ? 1 : 64;
    for (let i = 1; i < chain.length; i++) {
      cells[chain[i - 1]].right.push([chain[i], weight]);
      cells[chain[i]].left.push([chain[i - 1], weight]);
    }
    chains.push([n, chain]);
  }
  return chains;
}

function positions(cells, order, center, chains) {
  const first = new Map(), widths = new Map(), left = new Map();
  for (const [cell] of order) {
    const { row, column } = cells[cell];
    first.set(row, Math.min(first.has(row) ? first.get(row) : column, column));
  }
  const place = cell => {
    const at = first.get(cells[cell].row);
    return cells[cell].column - (at - at % 2);
  };
  for (const column of order) {
    const widest = column.reduce((most, cell) => Math.max(most, cells[cell].width), 0);
    widths.set(place(column[0]), Math.max(widths.get(place(column[0])) || 0, widest));
  }
  let x = 0, y = 0;
  for (const c of [...widths.keys()].sort((a, b) => a - b)) {
    left.set(c, x);
    x += widths.get(c) + GAP_X;
  }
  const top = new Map(), bottom = new Map(), down = new Map();
  center.forEach((middle, cell) => {
    const { row, height } = cells[cell];
    top.set(row, Math.min(top.has(row) ? top.get(row) : Infinity, middle - height / 2));
    bottom.set(row, Math.max(bottom.has(row) ? bottom.get(row) : -Infinity, middle + height / 2));
  });
  for (const row of [...top.keys()].sort((a, b) => a - b)) {
    down.set(row, y - top.get(row));
    y += bottom.get(row) - top.get(row) + GAP_ROW;
  }
  center.forEach((middle, i) => {
    const cell = cells[i], c = place(i);
    const high = middle + down.get(cell.row) - cell.height / 2;
    cell.x = left.get(c) + Math.floor((widths.get(c) - cell.width) / 2);
    cell.y = Math.floor(high + 0.5) + Math.floor(cell.height / 2);
    if (cell.item < 0) [cell.x, cell.width] = [left.get(c), widths.get(c)];
  });
  const places = cells.filter(cell => cell.item >= 0).map(cell => ({
    item: cell.item, x: cell.x, y: cell.y - Math.floor(cell.height / 2),
    width: cell.width, height: cell.height, alias: cell.alias,
  }));
  return {
    places, lines: lines(cells, chains),
    width: Math.max(0, x - GAP_X), height: Math.max(0, Math.floor(y + 0.5) - GAP_ROW),
  };
}

function lines(cells, chains) {
  const begin = [], end = [], last = chain => chain.length - 1;
  const ends = (port, wish, into) => {
    const wishes = new Map();
    chains.forEach(([, chain], i) => {
      if (!wishes.has(port(chain))) wishes.set(port(chain), []);
      wishes.get(port(chain)).push([wish(chain, i), i]);
    });
    for (const [cell, wished] of wishes) {
      spread(wished.sort((a, b) => a[0] - b[0] || a[1] - b[1]), cells[cell], into);
    }
  };
  ends(chain => chain[0], chain => cells[chain[1]].y, begin);
  ends(chain => chain[last(chain)],
    (chain, i) => (chain.length > 2 ? cells[chain[last(chain) - 1]].y : begin[i]), end);
  return chains.map(([number, chain], i) => {
    const a = cells[chain[0]], b = cells[chain[chain.length - 1]];
    const points = [[a.x + a.width, begin[i]]];
    for (const cell of chain.slice(1, -1).map(c => cells[c])) {
      points.push([cell.x, cell.y], [cell.x + cell.width, cell.y]);
    }
    return [number, [...points, [b.x, end[i]]]];
  });
}

// Sets the ends of lines at one side of a box: straight where possible, and apart.
function spread(wishes, { y: middle, height }, ends) {
  const step = Math.max(0, Math.min(12, Math.floor((height - 16) / wishes.length)));
  const most = Math.max(10, 6 * (wishes.length - 1));
  const reach = Math.max(0, Math.min(Math.floor(height / 2) - 8, most));
  const low = middle - reach, high = middle + reach;
  let at = low - step;
  for (const [y, i] of wishes) at = ends[i] = Math.max(at + step, Math.min(y, high));
  let limit = high + step;
  for (const [, i] of [...wishes].reverse()) limit = ends[i] = Math.min(ends[i], limit - step);
}
