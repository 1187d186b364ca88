// On a phone, code, exercises and the entries of the API are folded, and what is wider than the screen says that it can be swiped.

const phone = matchMedia("(max-width: 600px)");
const SHORT = 6; // lines of code that stay in view

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
  for (const entries of document.querySelectorAll("article .api")) fold([entries], "Show the entries");
  const exercises = [...document.querySelectorAll("section#exercises > :not(h2)")];
  if (exercises.length) fold(exercises, "Show the exercises");
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
  for (const output of document.querySelectorAll(".cell_output"))
    output.classList.toggle("wide", phone.matches && output.scrollWidth > output.clientWidth + 1);
}

addEventListener("load", arrange);
addEventListener("beforeprint", () => document.querySelectorAll("details.phone").forEach((folded) => (folded.open = true)));
phone.addEventListener("change", arrange);
