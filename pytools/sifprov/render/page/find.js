// The search: every word of the query must stand somewhere in what is known of an item.

const input = document.getElementById("search"), results = document.getElementById("results");
const MOST_FOUND = 50;
let index = null;
let found = [], chosen = -1;

// What can be found: [id, title, rows] in small letters. Made when somebody searches.
function indexed() {
  index = index || Object.entries(data.items).map(([id, item]) => {
    const rows = item.about.flatMap(([, list]) => list.map(([label, text]) => `${label}: ${text}`));
    const title = item.title.toLowerCase();
    return { id, title, rows, all: [title, ...rows].join("\n").toLowerCase() };
  });
  return index;
}

function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const hits = indexed().filter(entry => words.every(word => entry.all.includes(word)));
  const rank = ({ title }) => (title.startsWith(words[0]) ? 0 : title.includes(words[0]) ? 1 : 2);
  return hits.map(entry => [rank(entry), entry]).sort((a, b) => a[0] - b[0]).map(([, entry]) => entry);
}

function showFound() {
  found = search(input.value);
  chosen = -1;
  state.found = new Set(found.map(({ id }) => id));
  state.hits = new Set(found.map(({ id }) => drawnIn.get(id)));
  mark();
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const list = found.slice(0, MOST_FOUND).map((entry, n) => {
    const item = data.items[entry.id];
    const row = entry.title.includes(words[0]) ? item.lines.join(" · ")
      : entry.rows.find(text => text.toLowerCase().includes(words[0])) || "";
    const option = element("li", { id: `found-${n}` },
      element("span", { className: `kind ${item.kind}`, textContent: data.kinds[item.kind] }),
      element("strong", { textContent: item.title }),
      element("small", { textContent: row.length > 160 ? row.slice(0, 160) + "…" : row }));
    option.setAttribute("role", "option");
    option.addEventListener("pointerdown", event => event.preventDefault());
    option.addEventListener("click", () => take(n));
    return option;
  });
  if (input.value.trim() && found.length !== list.length) {
    const text = `${many(found.length)} found, the first ${MOST_FOUND} are listed`;
    list.push(element("li", { className: "note", textContent: text }));
  } else if (input.value.trim() && !found.length) {
    list.push(element("li", { className: "note", textContent: "nothing found" }));
  }
  results.replaceChildren(...list);
  results.hidden = !list.length;
  input.setAttribute("aria-expanded", !results.hidden);
}

function choose(n) {
  const count = Math.min(found.length, MOST_FOUND);
  if (!count) return;
  chosen = (n + count) % count;
  [...results.children].forEach((option, i) => option.setAttribute("aria-selected", i === chosen));
  input.setAttribute("aria-activedescendant", `found-${chosen}`);
  results.children[chosen].scrollIntoView({ block: "nearest" });
}

function take(n) {
  if (!found[n]) return;
  results.hidden = true;
  input.setAttribute("aria-expanded", false);
  go(found[n].id);
  focusBox(state.current);
}

function bindSearch() {
  input.addEventListener("input", showFound);
  input.addEventListener("focus", () => { if (input.value) showFound(); });
  input.addEventListener("blur", () => { results.hidden = true; });
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") take(Math.max(0, chosen));
    else if (event.key === "Escape") {
      input.value = "";
      showFound();
      focusBox(state.current);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
