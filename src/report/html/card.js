
// Right side: one card, now and afterwards.

const NO_CARD = { card: -1, layout: -1, builtIn: false };

/// Returns the codes of the fields of a layout.
function codesOf(layout) {
  const codes = new Set();
  if (Array.isArray(layout)) for (const [, , , fields] of layout) for (let at = 0; at < fields.length; at += 4) codes.add(fields[at]);
  return codes;
}

/// Returns a field: its code, label, flag and other entries.
function field(code, label, always, other, change) {
  return make(
    "div",
    { class: `field ${always ? "always" : ""} ${change}` },
    make(
      "div",
      {},
      label === code ? false : texts[label],
      make("code", {}, texts[code] + (texts[other] === "" ? "" : ` ${texts[other]}`)),
    ),
    make("div", { class: "flags" }, always ? words.always : words.hidden, change !== "" && make("b", {}, words[change])),
    make("i", {}),
  );
}

/// Returns a card as people see it. Fields that the other card lacks are marked.
function drawing({ layout: index, builtIn }, other, change) {
  const layout = layouts[index];
  const codes = other.layout < 0 || layouts[other.layout] === null ? null : codesOf(layouts[other.layout]);
  const box = make("div", { class: `drawing${builtIn ? " built-in" : ""}` });
  if (layout === null) box.append(make("p", { class: "empty" }, words.leftOut));
  else if (!Array.isArray(layout)) box.append(make("p", { class: "empty" }, `${words.noSections} `, make("code", {}, texts[layout])));
  else if (layout.length === 0) box.append(make("p", { class: "empty" }, words.empty));
  else {
    for (const [name, title, more, fields] of layout) {
      const section = make("div", { class: "box" });
      const code = texts[name] + (texts[more] === "" ? "" : ` ${texts[more]}`);
      section.append(make("h4", {}, make("span", {}, texts[title]), make("code", {}, code)));
      for (let at = 0; at < fields.length; at += 4) {
        const [one, label, always, rest] = fields.slice(at, at + 4);
        section.append(field(one, label, always === 1, rest, codes === null || codes.has(one) ? "" : change));
      }
      box.append(section);
    }
  }
  return box;
}

/// Returns one side: heading, note and card.
function side(heading, note, card, other, change, switcher) {
  return make(
    "div",
    { class: "side" },
    make("div", { class: "head" }, make("h3", {}, heading), switcher),
    make("p", { class: "note" }, note),
    card.layout < 0 ? make("p", { class: "more" }, card.empty ?? words.unknown) : drawing(card, other, change),
  );
}

/// Returns the two buttons for the view of the card.
function switcher() {
  const button = (view, label) => {
    const pressed = String(state.view === view);
    const element = make("button", { type: "button", "aria-pressed": pressed, "data-view": view }, label);
    element.addEventListener("click", () => show(view));
    return element;
  };
  return make("div", { class: "views", role: "group", "aria-label": words.view }, button("own", words.own), button("common", words.common));
}

function show(view) {
  state.view = view;
  drawCard();
}

const described = ({ card, layout, builtIn }) => [card < 0 ? "" : `${texts[card]}.`, builtIn && layout >= 0 ? words.builtIn : ""].filter(Boolean).join(" ");

/// Returns the fields of a layout: code, label and flag of each.
function fieldsOf(layout) {
  const all = [];
  for (const [, , , fields] of layout) {
    for (let at = 0; at < fields.length; at += 4) all.push(fields.slice(at, at + 3));
  }
  return all;
}

/// Returns in words what changes between two cards; nothing if one of them is not known.
function summary(now, then, isCommonCard) {
  const [before, after] = [now, then].map((card) => (card.layout < 0 ? null : layouts[card.layout]));
  if (!Array.isArray(before) || !Array.isArray(after)) return false;
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  const flags = (fields) => new Map(fields.map(([code, , always]) => [code, always]));
  const [had, has] = [flags(was), flags(is)];
  const names = (fields) => fields.map(([, label]) => texts[label]).join(", ") || words.nothing;
  const hidden = was.filter(([code, , always]) => always === 1 && has.get(code) === 0);
  const parts = [
    `${words.vanishes}: ${names(was.filter(([code]) => !has.has(code)))}`,
    `${words.appears}: ${is.filter(([code]) => !had.has(code)).length}`,
    hidden.length > 0 && `${words.noLonger}: ${names(hidden)}`,
    isCommonCard && words.commonCard,
  ];
  return make("p", { class: "more" }, parts.filter(Boolean).join("; "));
}

/// Returns the cards now and afterwards.
function sides(row) {
  const after = row[AFTER] < 0 ? null : data.afters[row[AFTER]];
  const isTouched = row[NOW] !== -1;
  if (!isTouched && after === null) return false;
  const hasViews = after !== null && after.own !== null;
  const isCommonView = hasViews && state.view === "common";
  const isAtDefault = row[NOW] === -3;
  const own = { card: -1, layout: row[NOW], builtIn: false, empty: isAtDefault ? words.atDefault : words.unknown };
  let pair;
  if (isCommonView) pair = [after.commonNow, after.common];
  else if (after === null) pair = [own, NO_CARD];
  else {
    const then = after.own ?? after.common;
    pair = [isTouched ? own : then, then];
  }
  const [now, then] = pair;
  const notes = isCommonView ? [`${described(now)} ${words.commonNote}`, described(then)] : [isAtDefault ? "" : isTouched ? words.removed : described(now), described(then)];
  const isCommonCard = hasViews && !isCommonView && isTouched && row[NOW] >= 0 && after.commonNow.layout === row[NOW];
  const both = make(
    "div",
    { class: "sides" },
    side(words.now, notes[0], now, then, "vanishes", false),
    side(words.afterwards, after === null ? texts[row[TEXT]] : notes[1], then, now, "appears", hasViews && switcher()),
  );
  return [isTouched && summary(now, then, isCommonCard), both].filter(Boolean);
}

/// Returns everything about a row.
function details(row) {
  const origin = row[ORIGIN] < 0 ? null : data.origins[row[ORIGIN]];
  const size = row[NOW] < 0 ? null : data.sizes[row[NOW]];
  const about = [texts[row[KEY]], data.kinds[row[KIND]], departmentsOf(row), texts[row[TEXT]]];
  const parts = [
    make("div", { class: "who" }, make("h2", {}, named(row)), badge(row)),
    make("p", { class: "about" }, about.filter(Boolean).join(" · ")),
  ];
  if (origin !== null) {
    const because = [texts[origin.selector], texts[origin.because], texts[origin.commit]].filter(Boolean).join("; ");
    parts.push(make("p", { class: "about" }, make("code", {}, texts[origin.place]), ` ${because}`));
  }
  if (size !== null && texts[size.more] !== "") parts.push(make("p", { class: "more" }, texts[size.more]));
  const cards = sides(row);
  if (cards !== false) parts.push(...cards);
  else if (layouts.length === 0) parts.push(make("p", { class: "more" }, words.noLayouts));
  return parts;
}

function drawCard() {
  const row = rows[state.shown[state.selected]];
  by("card").replaceChildren(...(row === undefined ? [make("p", { class: "about" }, words.none)] : details(row)));
  by("card").scrollTop = 0;
}
