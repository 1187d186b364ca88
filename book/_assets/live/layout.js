// Where everything is on the page: the scenes, the bar of buttons, the settings, the rules, the courses of
// accuracy.
import { make } from "./dom.js";
import { RULES } from "./network.js";
import { Controls, Scenes } from "./controls.js";
import { Brush } from "./brush.js";
import { History } from "./history.js";

const button = (words, onclick) => make("button", { type: "button", onclick }, words);

/** Fill a playground's element, and give the parts that it talks to later. */
export function layOut(ground) {
  const parts = {
    playButton: button("Play", () => (ground.playing ? ground.pause() : ground.play())),
    count: make("span", { class: "count" }),
    status: make("p", { class: "unseen", role: "status" }),
    note: make("p", { class: "note", role: "alert", hidden: true }),
  };
  parts.playButton.classList.add("play");
  const bar = make("div", { class: "bar" }, parts.playButton);
  const panels = ground.panels.map((panel) => panel.element);
  const rules = make("div", { class: `rules rules-${panels.length}` }, ...panels);
  if (ground.small) small(ground, parts, bar, rules);
  else whole(ground, parts, bar, rules);
  return parts;
}

/** For a chapter: the answers, Play, Reset, and the way to all the rest. */
function small(ground, parts, bar, rules) {
  parts.link = make("a", { href: playgroundPage() }, "All settings");
  const reset = button("Reset", () => ground.reset());
  bar.append(reset, parts.count, parts.link);
  ground.element.classList.add("live-small");
  ground.element.replaceChildren(parts.note, rules, bar, parts.status);
}

function whole(ground, parts, bar, rules) {
  const step = button("Step", () => {
    ground.pause();
    ground.step(1);
    ground.repaint();
    ground.report();
  });
  const reset = button("Reset", () => {
    ground.pause();
    ground.reset();
  });
  const damage = button("Damage the layer", () => ground.damage());
  parts.brush = new Brush(
    () => ground.points,
    (points) => ground.paintedPoints(points),
  );
  for (const panel of ground.panels) parts.brush.listen(panel.square);
  parts.scenes = new Scenes((name) => ground.go(`#scene=${name}`, true));
  parts.controls = new Controls((key, value) => ground.change(key, value), {
    Data: parts.brush.element,
    "While it learns": damage,
  });
  parts.history = new History(ground.rules);
  parts.copyButton = button("Copy link", () => ground.copyLink());
  bar.append(step, reset, parts.controls.field("speed"), parts.count, parts.copyButton);
  rules.append(parts.controls.element, tabs(ground));
  const { scenes, history } = parts;
  ground.element.replaceChildren(scenes.element, bar, parts.note, rules, history.element, parts.status);
}

/** On a phone the layers of one rule are shown at a time: these say of which. */
function tabs({ element, rules }) {
  const choose = (rule) => {
    element.dataset.shown = rule;
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.rule === rule));
  };
  const buttons = rules.map((rule) => {
    const one = button(RULES[rule], () => choose(rule));
    one.dataset.rule = rule;
    return one;
  });
  choose(rules[0]);
  return make(
    "div",
    { class: "tabs chips", role: "group", "aria-label": "Whose layers are shown" },
    ...buttons,
  );
}

/** The page with all settings, from wherever this is. */
function playgroundPage() {
  const script = [...document.scripts].find(({ src }) => src.includes("_static/live/"));
  return script ? new URL("../../book/playground.html", script.src).href : "playground.html";
}
