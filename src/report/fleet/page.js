
"use strict";
// Sorts and filters the rows that stand in the page.
const by = (id) => document.getElementById(id);
const body = by("portals").tBodies[0];
const rows = Array.from(body.rows);
const texts = rows.map((row) => row.textContent.toLowerCase());
const [search, outcomes] = [by("search"), by("outcomes")];

function refresh() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, index) => {
    const fits = words.every((word) => texts[index].includes(word));
    row.hidden = !fits || (outcomes.value !== "" && row.dataset.o !== outcomes.value);
    if (!row.hidden) shown += 1;
  });
  by("count").textContent = `${shown} / ${rows.length}`;
}

function sort(column, heading) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const text = (row) => row.cells[column].textContent;
  const compare = (a, b) => text(a).localeCompare(text(b), undefined, { numeric: true });
  body.append(...Array.from(body.rows).sort((a, b) => (descending ? compare(b, a) : compare(a, b))));
}

Array.from(by("portals").tHead.rows[0].cells).forEach((heading, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(heading.textContent);
  heading.replaceChildren(button);
  button.addEventListener("click", () => sort(column, heading));
});
search.addEventListener("input", refresh);
outcomes.addEventListener("change", refresh);
search.hidden = outcomes.hidden = false;
refresh();
