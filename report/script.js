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

// A dot that is pointed at says what it is; with the focus on a figure, the arrow keys go from dot to dot.
const tip = document.createElement("output");
tip.className = "tip";
const hush = () => (tip.hidden = true);
hush();
const dotsOf = (image) =>
  (image.dataset.tips ?? "").split("\n").filter(Boolean).map((line) => {
    const [, x, y, text] = line.match(/^(\S+) (\S+) (.*)$/);
    return { x: +x / 100, y: +y / 100, text };
  });
function say(image, dot) {
  const box = image.getBoundingClientRect();
  const [x, y] = [box.left + dot.x * box.width, box.top + dot.y * box.height];
  image.closest("dialog, body").append(tip); // an open dialog hides what is outside it
  tip.textContent = dot.text;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(x + 10, document.documentElement.clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${y + 14 + tip.offsetHeight < innerHeight ? y + 14 : y - tip.offsetHeight - 10}px`;
}
function speaking(image) {
  const dots = dotsOf(image);
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const far = (dot) => Math.hypot(box.left + dot.x * box.width - event.clientX, box.top + dot.y * box.height - event.clientY);
    const near = dots.reduce((best, dot) => (best && far(best) <= far(dot) ? best : dot), null);
    if (near && far(near) < 14) say(image, near);
    else hush();
  });
  image.addEventListener("pointerleave", hush);
  return dots;
}
function stepping(element, image, dots) {
  let at = -1;
  element.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hush();
    if (!step || !dots.length) return;
    event.preventDefault();
    at = at < 0 ? (step > 0 ? 0 : dots.length - 1) : (at + step + dots.length) % dots.length;
    say(image, dots[at]);
  });
  element.addEventListener("blur", hush);
}
addEventListener("scroll", hush, { capture: true, passive: true });

// A figure opens at full size; Escape, the button or a click beside it closes it again.
const dialog = document.querySelector("dialog.lightbox");
for (const image of document.querySelectorAll("figure img")) {
  const shown = image.closest("picture") ?? image; // with the still for print beside it
  const opener = document.createElement("button");
  opener.className = "zoom";
  opener.setAttribute("aria-label", `Enlarge: ${image.alt}`);
  shown.replaceWith(opener);
  opener.append(shown);
  stepping(opener, image, speaking(image));
  opener.addEventListener("click", () => {
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    const large = image.cloneNode();
    stepping(close, large, speaking(large));
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
