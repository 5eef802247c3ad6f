// What a run used over time, as small charts one below the other, with one cursor through all of
// them. A value holds from the sample before to its own, so lines are steps.

const CHART = { width: 360, height: 46, left: 62, right: 4, top: 4, bottom: 4 };

// `used` has the times of the points (each of one or more samples) in seconds, and charts
// [title, unit, [[name, values], …]].
function usage(used) {
  const end = used.times.at(-1) || 1;
  const x = time => CHART.left + (time / end) * (CHART.width - CHART.left - CHART.right);
  const charts = used.charts.map(([title, unit, lines]) => chart(title, unit, lines, used.times, x));
  const said = element("p", { className: "said", textContent: whole(used) });
  said.setAttribute("aria-live", "polite");
  const figure = element("figure", { className: "usage", tabIndex: 0 }, ...charts.map(c => c.node),
    timeAxis(end, x), said);
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", "What it used over time; left and right move through it");
  let at = null;
  const show = i => {
    at = i;
    for (const each of charts) each.point(i);
    const parts = charts.map(each => each.words(i)).filter(Boolean);
    said.textContent = i === null ? whole(used) : `at ${seconds(used.times[i])}: ${parts.join("; ")}`;
  };
  figure.addEventListener("pointermove", event => {
    const box = charts[0].canvas.getBoundingClientRect();
    const where = ((event.clientX - box.left) / box.width) * CHART.width;
    // The first sample that ends behind the pointer.
    const i = used.times.findIndex(time => x(time) >= where);
    show(i < 0 ? used.times.length - 1 : i);
  });
  figure.addEventListener("pointerleave", () => show(null));
  figure.addEventListener("blur", () => show(null));
  figure.addEventListener("keydown", event => {
    const last = used.times.length - 1, now = at === null ? -1 : at;
    const next = {
      ArrowLeft: Math.max(now - 1, 0), ArrowRight: Math.min(now + 1, last), Home: 0, End: last,
    }[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    show(next);
    event.preventDefault();
    event.stopPropagation();
  });
  return element("section", {}, element("h3", { textContent: "Over time" }), figure);
}

const whole = used => `${used.samples} samples in ${seconds(used.times.at(-1))}`;

function chart(title, unit, lines, times, x) {
  const top = Math.max(...lines.flatMap(([, values]) => values));
  const head = element("div", { className: "head" }, element("span", { textContent: title }));
  if (lines.length > 1) {
    lines.forEach(([name], n) => head.append(element("i", { className: `line-${n}`, textContent: name })));
  }
  const called = name => (lines.length > 1 && !title.startsWith("Read") ? `${title} ${name}` : name);
  const words = i => (i === null || !top ? "" : lines.map(([name, values]) =>
    `${called(name).toLowerCase()} ${value(values[i], unit)}`).join(", "));
  const canvas = make("svg", { viewBox: `0 0 ${CHART.width} ${top ? CHART.height : 4}`,
    "aria-hidden": true });
  const node = element("div", { className: "chart" }, head, canvas);
  if (!top) {
    head.append(element("small", { textContent: "none" }));
    return { node, canvas, words, point() {} };
  }
  const low = CHART.height - CHART.bottom;
  const y = amount => low - (amount / top) * (low - CHART.top);
  const axis = (amount, place) =>
    make("text", { x: CHART.left - 6, y: place, "text-anchor": "end" }, value(amount, unit));
  const grid = [CHART.top, low].map(place => `M${CHART.left} ${place}H${CHART.width}`).join("");
  canvas.append(make("path", { class: "grid", d: grid }),
    axis(top, CHART.top + 6), axis(0, low + 2));
  lines.forEach(([, values], n) => {
    const steps = values.map((v, i) => `V${y(v).toFixed(1)}H${x(times[i]).toFixed(1)}`).join("");
    const from = `M${x(0)} ${y(values[0]).toFixed(1)}`;
    if (!n) canvas.append(make("path", { class: "area", d: `M${x(0)} ${low}${steps}V${low}Z` }));
    canvas.append(make("path", { class: `line line-${n}`, d: from + steps }));
  });
  const cursor = make("path", { class: "cursor" });
  canvas.append(cursor);
  const point = i => {
    if (i === null) cursor.removeAttribute("d");
    else cursor.setAttribute("d", `M${x(times[i]).toFixed(1)} ${CHART.top}V${low}`);
  };
  return { node, canvas, words, point };
}

function timeAxis(end, x) {
  const axis = make("svg", { viewBox: `0 0 ${CHART.width} 12`, "aria-hidden": true });
  axis.append(make("text", { x: x(0), y: 9 }, "0 s"),
    make("text", { x: x(end), y: 9, "text-anchor": "end" }, seconds(end)));
  return axis;
}

function seconds(time) {
  if (time < 600) return `${time.toFixed(time < 10 ? 2 : 1)} s`;
  const whole = Math.round(time), two = n => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

function value(amount, unit) {
  if (unit === "cores") return `${amount.toFixed(2)} ${unit}`;
  if (!unit) return String(amount);
  let n = 0;
  for (; amount >= 1024 && n < 4; n++) amount /= 1024;
  const name = ["B", "KiB", "MiB", "GiB", "TiB"][n] + unit.slice(1);
  return `${n ? amount.toFixed(1) : Math.round(amount)} ${name}`;
}
