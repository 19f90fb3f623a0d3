
// Keys, theme, print, and the start.

function switchTheme() {
  const { classList } = document.documentElement;
  const isDark = classList.contains("dark") || (!classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
  classList.toggle("dark", !isDark);
  classList.toggle("light", isDark);
}

const page = () => Math.max(1, Math.floor(by("list").clientHeight / ROW_HEIGHT) - 1);

const KEYS = {
  ArrowDown: () => select(state.selected + 1),
  ArrowUp: () => select(state.selected - 1),
  j: () => select(state.selected + 1),
  k: () => select(state.selected - 1),
  PageDown: () => select(state.selected + page()),
  PageUp: () => select(state.selected - page()),
  Home: () => select(0),
  End: () => select(state.shown.length - 1),
  o: () => show("own"),
  c: () => show("common"),
  "/": () => by("search").select(),
};

function clearSearch() {
  by("search").value = "";
  refresh();
  by("list").focus();
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { target, key } = event;
  if (target.tagName === "SELECT") return;
  if (key === "Escape" && rows.length > 0) clearSearch();
  else if (target.tagName === "INPUT" && !["ArrowDown", "ArrowUp"].includes(key)) return;
  else if (key === "d") switchTheme();
  else if (rows.length > 0 && Object.hasOwn(KEYS, key)) KEYS[key]();
  else return;
  event.preventDefault();
}

function start() {
  // Without the style, the cards that need no script are easier to read.
  if (getComputedStyle(document.documentElement).getPropertyValue("--recard").trim() !== "1") return;
  document.addEventListener("keydown", pressed);
  if (rows.length === 0) return;
  by("static").remove();
  by("app").hidden = false;
  by("keys").hidden = false;
  document.body.classList.add("live");
  drawFilters();
  refresh();
  for (const id of ["departments", "reasons"]) by(id).addEventListener("change", refresh);
  by("search").addEventListener("input", refresh);
  by("list").addEventListener("scroll", () => requestAnimationFrame(drawRows), { passive: true });
  addEventListener("resize", drawRows);
  addEventListener("beforeprint", () => {
    const articles = state.shown.slice(0, PRINTED).map((index) => make("article", {}, ...details(rows[index])));
    const left = state.shown.length - articles.length;
    if (left > 0) articles.push(make("p", {}, filled(words.notPrinted, { n: left })));
    by("print").replaceChildren(...articles);
  });
  addEventListener("afterprint", () => by("print").replaceChildren());
}

start();
