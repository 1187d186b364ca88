// How many points each rule got right, step after step: one line a rule.
import { make, shape, write } from "./dom.js";

const LINES = { ff: "", mf: "6 3", bp: "1.5 3" }; // dashes, since all colours are taken
const NAMES = { ff: "Forward-Forward", mf: "Mono-Forward", bp: "Backpropagation" };

export class History {
  constructor(rules) {
    this.rules = rules;
    this.lines = {};
    const picture = shape("svg", {
      viewBox: "0 0 100 50",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    for (const share of [0.5, 0.75, 1]) {
      picture.append(shape("line", { x1: 0, x2: 100, y1: height(share), y2: height(share), class: "rung" }));
    }
    for (const rule of rules) {
      this.lines[rule] = shape("polyline", { "stroke-dasharray": LINES[rule], class: "course" });
      picture.append(this.lines[rule]);
    }
    const key = rules.map((rule) => {
      const sample = shape("svg", { viewBox: "0 0 24 6", class: "sample", "aria-hidden": "true" });
      sample.append(
        shape("line", { x1: 0, x2: 24, y1: 3, y2: 3, "stroke-dasharray": LINES[rule], class: "course" }),
      );
      return make("span", {}, sample, NAMES[rule]);
    });
    this.until = make("span", { class: "until" });
    this.element = make(
      "div",
      { class: "history" },
      make("p", {}, "Points right, 40 % to 100 %, over the steps: ", ...key, this.until),
      picture,
    );
    this.clear();
  }

  clear() {
    this.courses = this.rules.map(() => []);
    this.paint();
  }

  /** Note that after `step` steps a rule gets the share `right` of the points right. */
  add(rule, step, right) {
    if (Number.isNaN(right)) return;
    const course = this.courses[this.rules.indexOf(rule)];
    if (course.length && course.at(-1)[0] === step) course.pop();
    course.push([step, right]);
    if (course.length > 600)
      this.courses[this.rules.indexOf(rule)] = course.filter((_, i) => i % 2 || i === course.length - 1);
  }

  paint() {
    const last = Math.max(100, ...this.courses.map((course) => course.at(-1)?.[0] ?? 0));
    this.rules.forEach((rule, i) => {
      this.lines[rule].setAttribute(
        "points",
        this.courses[i].map(([step, right]) => `${(100 * step) / last},${height(right)}`).join(" "),
      );
    });
    write(this.until, `to step ${last}`);
  }
}

const height = (share) => 50 - 48 * Math.max(0, (share - 0.4) / 0.6) - 1;
