// On a phone, code, exercises and the entries of the API are folded. What is a little wider than the screen is set smaller,
// and what is still wider says that it can be swiped. On any screen, printed sentences are wrapped; columns are not.

const phone = matchMedia("(max-width: 600px)");
const SHORT = 6; // lines of code that stay in view
const SMALLEST = 0.75; // of its size, for a formula or printed columns
const NARROW = 610; // pixels of a plot that is readable at the width of a phone
const HOLDERS = ".cell_output, .pst-scrollable-table-container, div.math";

function fold(parts, label) {
  const folded = document.createElement("details");
  folded.className = "hide above-input phone"; // as a cell that the book folds
  folded.innerHTML = `<summary>${label}</summary>`;
  parts[0].before(folded);
  folded.append(...parts);
}

function foldAll() {
  for (const code of document.querySelectorAll(".cell > .cell_input")) {
    const lines = code.textContent.trim().split("\n").length;
    if (lines > SHORT) fold([code], `Code, ${lines} lines`);
  }
  for (const entries of document.querySelectorAll("article .api")) {
    fold([entries], `Show ${entries.querySelector(".rubric")?.textContent ?? ""}`);
  }
  const exercises = [...document.querySelectorAll("section#exercises > :not(h2)")];
  if (exercises.length) fold(exercises, "Show the exercises");
}

/** Makes a formula or printed columns as small as its place asks for. */
function fit(box) {
  box.style.zoom = "";
  const share = box.parentElement.clientWidth / box.scrollWidth;
  if (phone.matches && share < 1) box.style.zoom = Math.max(0.98 * share, SMALLEST);
}

/** A cell of a table has at most two lines, unless it is long. */
function widen(cell) {
  const length = cell.textContent.trim().length;
  const letters = Math.max(length / 2, Math.min(length, 14));
  cell.style.minWidth = phone.matches ? `min(${letters}ch, 13rem)` : "";
}

function markWide() {
  document.querySelectorAll("article .wide").forEach((holder) => holder.classList.remove("wide"));
  const scrolled = `${HOLDERS}, .cell_output :is(pre, table, .output), .pst-scrollable-table-container table, div.math > mjx-container`;
  for (const box of phone.matches ? document.querySelectorAll(scrolled) : [])
    if (box.scrollWidth > box.clientWidth + 1) box.closest(HOLDERS)?.classList.add("wide");
}

function size() {
  document.querySelectorAll(".cell_output pre:not(.sentences), div.math > mjx-container").forEach(fit);
  document.querySelectorAll(".cell_output td").forEach(widen);
  markWide();
}

let done = false;
function arrange() {
  if (phone.matches && !done) foldAll();
  done ||= phone.matches;
  for (const folded of document.querySelectorAll("details.phone")) folded.open = !phone.matches;
  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const around = phone.matches && wanted?.closest("details.phone");
  if (around) { // a link leads into what is folded
    around.open = true;
    wanted.scrollIntoView();
  }
  size();
}

addEventListener("load", async () => {
  for (const text of document.querySelectorAll(".cell_output pre"))
    text.classList.toggle("sentences", !/\S {2,}\S/.test(text.textContent));
  for (const plot of document.querySelectorAll(".cell_output figure img"))
    plot.classList.toggle("narrow", plot.naturalWidth < NARROW);
  await window.MathJax?.startup?.promise;
  arrange();
});
addEventListener("beforeprint", () => document.querySelectorAll("details.phone").forEach((folded) => (folded.open = true)));
addEventListener("toggle", () => { // what was folded had no width: nor could the theme see that it needs the keyboard
  if (phone.matches) size();
  dispatchEvent(new Event("resize"));
}, true);
phone.addEventListener("change", arrange);
