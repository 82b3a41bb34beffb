// Conveniences only: the page says everything without this script.
"use strict";

// Filter of the table of all claims.
for (const form of document.querySelectorAll("form.filter")) {
  const rows = [...document.querySelectorAll("table.claims tbody tr")];
  const apply = () => {
    const data = new FormData(form);
    const words = data.get("words").toLowerCase();
    const verdicts = data.getAll("verdict");
    for (const row of rows) {
      row.hidden =
        !verdicts.includes(row.dataset.verdict) ||
        (data.get("paper") && data.get("paper") !== row.dataset.paper) ||
        !row.textContent.toLowerCase().includes(words);
    }
    form.querySelector("output").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.reset();
  form.hidden = false;
  apply();
}

// Sort a table by a click on a heading: numbers as numbers, unknown ones last.
const key = (cell) => cell.dataset.value ?? cell.textContent.trim();
const asNumber = (text) => parseFloat(text.replaceAll("−", "-").replaceAll(" ", ""));
function compare(a, b) {
  const [x, y] = [asNumber(a), asNumber(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) {
    return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b);
  }
  return x - y;
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const sorted = [...body.rows].sort((a, b) => compare(key(a.cells[column]), key(b.cells[column])));
      body.append(...(down ? sorted.reverse() : sorted));
    });
  });
}

// A figure opens at full size; Escape, the button or a click beside it closes it again.
const dialog = document.querySelector("dialog.lightbox");
for (const image of document.querySelectorAll("figure img")) {
  const shown = image.closest("picture") ?? image; // with the still for print beside it
  const opener = document.createElement("button");
  opener.className = "zoom";
  opener.setAttribute("aria-label", `Enlarge: ${image.alt}`);
  shown.replaceWith(opener);
  opener.append(shown);
  opener.addEventListener("click", () => {
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    const large = image.cloneNode();
    dialog.classList.toggle("drawn", !image.closest("figure.photographic"));
    dialog.replaceChildren(close, large);
    dialog.showModal();
  });
}
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

// A link to a claim opens it.
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) target.open = true;
};
addEventListener("hashchange", open);
open();

// Folded figures and tables belong on paper; a claim stays its one line there.
const folds = [...document.querySelectorAll("details.fold:not([open])")];
addEventListener("beforeprint", () => folds.forEach((part) => (part.open = true)));
addEventListener("afterprint", () => folds.forEach((part) => (part.open = false)));
