"use strict";
// The cells of a picture: their order in columns, and their heights. As columns.py, to the pixel.

const GAP_Y = 18, SWEEPS = 4, PASSES = 3;

// A cell is { item, alias, width, height, row, column, left: [[cell, weight]], right }.
function orderColumns(cells, order) {
  const at = new Array(cells.length).fill(0);
  const number = column => column.forEach((cell, i) => { at[cell] = i; });
  order.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const side = sweep % 2 ? "right" : "left";
    for (const column of sweep % 2 ? [...order].reverse() : order) {
      const keys = new Map();
      for (const cell of column) {
        const near = cells[cell][side];
        const sum = near.reduce((total, [other]) => total + at[other], 0);
        keys.set(cell, near.length ? sum / near.length : at[cell]);
      }
      column.sort((a, b) => keys.get(a) - keys.get(b));
      number(column);
    }
  }
}

function heights(cells, order) {
  const center = new Array(cells.length).fill(0);
  for (const column of order) {
    let top = 0;
    for (const cell of column) {
      center[cell] = top + cells[cell].height / 2;
      top += cells[cell].height + GAP_Y;
    }
    for (const cell of column) center[cell] -= (top - GAP_Y) / 2;
  }
  for (let turn = 0; turn < PASSES; turn++) {
    for (const column of order) settle(cells, column, center, "left");
    for (const column of [...order].reverse()) settle(cells, column, center, "right");
    if (turn === PASSES - 1) for (const column of order) settle(cells, column, center, "left");
  }
  return center;
}

// Moves the cells of a column as near to their neighbours as their order and sizes allow.
function settle(cells, column, center, side) {
  const blocks = [], offsets = [];
  let offset = 0;
  column.forEach((cell, i) => {
    if (i) offset += (cells[column[i - 1]].height + cells[cell].height) / 2 + GAP_Y;
    offsets.push(offset);
    let wish = 0, weight = 0;
    for (const [other, w] of cells[cell][side]) {
      wish += center[other] * w;
      weight += w;
    }
    if (!weight) [wish, weight] = [center[cell] * 0.125, 0.125];
    wish /= weight;
    let block = [(wish - offset) * weight, weight, 1];
    while (blocks.length) {
      const last = blocks[blocks.length - 1];
      if (last[0] / last[1] < block[0] / block[1]) break;
      blocks.pop();
      block = [last[0] + block[0], last[1] + block[1], last[2] + block[2]];
    }
    blocks.push(block);
  });
  let i = 0;
  for (const [total, weight, count] of blocks) {
    for (let k = 0; k < count; k++, i++) center[column[i]] = total / weight + offsets[i];
  }
}
