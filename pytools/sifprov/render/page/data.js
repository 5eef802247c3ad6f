// What the page knows. `data` comes from html.py: boxes and groups as they are drawn, arrows between
// them, and `items`, all that is known of each container and activity by id.

const data = JSON.parse(document.getElementById("data").textContent);
const boxes = data.boxes;
const numbers = new Map(boxes.map((box, i) => [box.id, i]));
const arrows = data.arrows.map(([source, target, kind, label, flagged]) => ({
  source: numbers.get(source), target: numbers.get(target), kind, label, flagged,
}));
// The numbers of the boxes that each came from, and that came of it.
const before = boxes.map(() => []), after = boxes.map(() => []);
for (const { source, target } of arrows) {
  before[target].push(source);
  after[source].push(target);
}
const isActivity = i => boxes[i].kind === "run" || boxes[i].kind === "making";
const isTarget = i => boxes[i].flags.includes("target");
const targets = boxes.map((_, i) => i).filter(isTarget);
const sizeOf = i => boxes[i].members.length || 1;
// The box in which each item is drawn: its own, or its group's.
const drawnIn = new Map();
boxes.forEach((box, i) => {
  for (const id of box.members.length ? box.members : [box.id]) drawnIn.set(id, i);
});
const total = boxes.reduce((sum, _, i) => sum + sizeOf(i), 0);

const named = item => [
  data.kinds[item.kind], item.title, ...item.lines, ...item.flags.map(flag => data.flags[flag]),
];
const many = count => count.toLocaleString("en");
