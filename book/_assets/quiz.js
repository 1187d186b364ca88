// The options of a quiz become buttons that say whether they are right. Without this script, and on paper, the answers
// are in the folded list at the quiz's end: one line a question, which begins with the letter of the right option.

const letter = (item) => item.textContent.trim()[0];

function ask(question, answer) {
  const options = question.querySelector("ul");
  const verdict = document.createElement("div");
  verdict.setAttribute("role", "status"); // a screen reader says it when it changes
  options.after(verdict);
  for (const option of options.children) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...(option.querySelector("p") ?? option).childNodes);
    option.replaceChildren(button);
    button.addEventListener("click", () => {
      const right = letter(option) === letter(answer);
      button.className = right ? "right" : "wrong";
      verdict.className = `verdict ${button.className}`;
      verdict.replaceChildren(right ? "Right. " : "No. Try another one.", ...(right ? reason(answer) : []));
    });
  }
}

/** Copies of what an answer says after its letter. */
function reason(answer) {
  const nodes = [...(answer.querySelector("p") ?? answer).cloneNode(true).childNodes];
  nodes[0].textContent = nodes[0].textContent.replace(/^\s*\w\)\s*/, "");
  return nodes;
}

for (const quiz of document.querySelectorAll(".admonition.quiz")) {
  const key = quiz.querySelector("details");
  const answers = key.querySelectorAll("li");
  quiz.querySelectorAll(":scope > ol > li").forEach((question, number) => ask(question, answers[number]));
  quiz.classList.add("asking"); // hides the key
}
