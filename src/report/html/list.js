
"use strict";
// Left side: the rows, of which the DOM has only those in sight.

const ROW_HEIGHT = 46;
const ROWS_BEYOND = 6;
const PRINTED = 200;
const [BADGE, USER, NAME, KEY, DEPARTMENTS, TEXT, ORIGIN, KIND, NOW, AFTER, REASON] = Array(11).keys();

const by = (id) => document.getElementById(id);
const data = JSON.parse(by("data").textContent);
const { texts, rows, layouts, words } = data;

/// Returns a new element; children that are false are left out.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== false && child !== ""));
  return element;
}

/// Fills the places of a text of words: {name}.
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));

const state = {
  shown: [], // The indexes of the rows that pass the filters.
  selected: 0, // A position among them.
  badges: data.badges.map((badge) => !badge.off),
  kinds: data.kinds.map(() => true),
  once: false,
  view: "own",
};

/// The texts of each layout, as a list of their indexes.
let layoutTexts = null;
let lowered = null;

function textsOf(layout) {
  if (layout === null) return [];
  if (!Array.isArray(layout)) return [layout];
  return layout.flatMap(([name, title, other, fields]) => [name, title, other, ...fields.filter((_, at) => at % 4 !== 2)]);
}

/// Returns a test of rows for all words of the search.
function searched() {
  const wanted = by("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return () => true;
  lowered ??= texts.map((text) => text.toLowerCase());
  layoutTexts ??= layouts.map(textsOf);
  const tests = wanted.map((word) => {
    const hit = lowered.map((text) => text.includes(word));
    const layout = layoutTexts.map((list) => list.some((text) => hit[text]));
    const departments = data.departmentSets.map((set) => set.some((one) => hit[data.departments[one]]));
    return (row) => hit[row[NAME]] || hit[row[KEY]] || departments[row[DEPARTMENTS]] || (row[NOW] >= 0 && layout[row[NOW]]);
  });
  return (row) => tests.every((test) => test(row));
}

/// Applies the filters, and keeps the selected row where it passes them.
function refresh() {
  const before = state.shown[state.selected];
  const matches = searched();
  const department = by("departments").value;
  const inDepartment = data.departmentSets.map((set) => department === "" || set.includes(Number(department)));
  const [sort, number] = by("reasons").value.split(":");
  const seen = new Set();
  state.shown = [];
  rows.forEach((row, index) => {
    if (!state.badges[row[BADGE]] || !state.kinds[row[KIND]]) return;
    if (department !== "" && !inDepartment[row[DEPARTMENTS]]) return;
    if (sort === "reason" && row[REASON] !== Number(number)) return;
    if (sort === "kind" && row[KIND] !== Number(number)) return;
    if (sort === "manifest" && (row[ORIGIN] < 0 || data.origins[row[ORIGIN]].manifest !== Number(number))) return;
    if (!matches(row)) return;
    if (state.once) {
      if (row[NOW] < 0 || seen.has(row[NOW])) return;
      seen.add(row[NOW]);
    }
    state.shown.push(index);
  });
  state.selected = Math.max(0, state.shown.indexOf(before));
  const people = new Set(state.shown.map((index) => rows[index][USER]));
  people.delete(0);
  by("count").textContent = filled(words.count, { shown: state.shown.length, all: rows.length, people: people.size });
  by("rows").style.height = `${state.shown.length * ROW_HEIGHT}px`;
  drawn = "";
  bringIntoSight();
  drawRows();
  drawCard();
}

let drawn = "";

/// Draws the rows in sight.
function drawRows() {
  const list = by("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - ROWS_BEYOND);
  const last = Math.min(state.shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + ROWS_BEYOND);
  const now = `${first} ${last} ${state.selected}`;
  if (now === drawn) return;
  drawn = now;
  const lines = [];
  for (let position = first; position < last; position += 1) lines.push(line(position));
  by("rows").replaceChildren(...lines);
  if (state.shown.length > 0) list.setAttribute("aria-activedescendant", `row-${state.selected}`);
  else list.removeAttribute("aria-activedescendant");
}

function badge(row) {
  const { label, tone } = data.badges[row[BADGE]];
  return make("span", { class: `badge ${tone}`, title: label }, label);
}

/// Returns the name of a row's person.
const named = (row) => (row[USER] === 0 ? words.everybody : texts[row[NAME]] || filled(words.user, { user: row[USER] }));

const departmentsOf = (row) => data.departmentSets[row[DEPARTMENTS]].map((one) => texts[data.departments[one]]).join(", ");

function line(position) {
  const row = rows[state.shown[position]];
  const below = [texts[row[KEY]], departmentsOf(row)].filter(Boolean).join(" · ");
  const size = row[NOW] < 0 ? "" : texts[data.sizes[row[NOW]].size];
  const element = make(
    "div",
    {
      class: "row",
      role: "option",
      id: `row-${position}`,
      "aria-selected": String(position === state.selected),
      "aria-posinset": position + 1,
      "aria-setsize": state.shown.length,
    },
    badge(row),
    make("div", {}, make("b", {}, named(row)), make("small", {}, below)),
    make("div", { class: "size" }, ...size.split(", ").map((part) => make("small", {}, part))),
  );
  element.style.transform = `translateY(${position * ROW_HEIGHT}px)`;
  element.addEventListener("click", () => {
    select(position);
    if (matchMedia("(max-width: 800px)").matches) by("card").scrollIntoView();
  });
  return element;
}

function bringIntoSight() {
  const list = by("list");
  const top = state.selected * ROW_HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW_HEIGHT - list.clientHeight;
}

function select(position) {
  const last = state.shown.length - 1;
  if (last < 0) return;
  state.selected = Math.min(Math.max(position, 0), last);
  bringIntoSight();
  drawRows();
  drawCard();
}

/// Returns a button that switches a filter.
function chip(label, isOn, toggle) {
  const button = make("button", { class: "chip", type: "button", "aria-pressed": String(isOn) }, label);
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    toggle(pressed);
    refresh();
  });
  return button;
}

function count(column, value) {
  return rows.reduce((sum, row) => sum + (row[column] === value ? 1 : 0), 0);
}

/// The number of kinds of cards that have a button each. More of them stand in a list.
const MAX_KIND_CHIPS = 4;

function drawFilters() {
  const chips = data.badges.map((one, at) => chip(`${one.label} ${count(BADGE, at)}`, !one.off, (on) => { state.badges[at] = on; }));
  const areFew = data.kinds.length <= MAX_KIND_CHIPS;
  if (data.kinds.length > 1 && areFew) {
    chips.push(...data.kinds.map((kind, at) => chip(`${kind} ${count(KIND, at)}`, true, (on) => { state.kinds[at] = on; })));
  }
  if (layouts.length > 0) chips.push(chip(words.once, false, (on) => { state.once = on; }));
  by("chips").append(...chips);
  const sums = data.departments.map(() => 0);
  for (const row of rows) for (const one of data.departmentSets[row[DEPARTMENTS]]) sums[one] += 1;
  const options = data.departments.map((name, at) => make("option", { value: at }, `${texts[name]} (${sums[at]})`));
  by("departments").append(...options.sort((one, other) => one.textContent.localeCompare(other.textContent)));
  by("departments").hidden = data.departments.length === 0;
  const group = (label, sort, names) =>
    make("optgroup", { label }, ...names.map((name, at) => make("option", { value: `${sort}:${at}` }, texts[name])));
  if (data.reasons.length > 0) by("reasons").append(group(words.reason, "reason", data.reasons));
  const kinds = data.kinds.map((name, at) => make("option", { value: `kind:${at}` }, `${name} (${count(KIND, at)})`));
  if (!areFew) by("reasons").append(make("optgroup", { label: words.kind }, ...kinds));
  if (data.manifests.length > 0) by("reasons").append(group(words.manifest, "manifest", data.manifests));
}
