// One rule's part of the page: its answer over the plane, and for each layer its units, its goodness, its own
// accuracy.
import { make, canvas, percent, write } from "./dom.js";
import { RULES, accuracy, scoresOf } from "./network.js";
import { paintDecision, paintGoodness, paintHistogram, paintUnits, unitsSize } from "./draw.js";
import { dotsPicture, showDots } from "./dots.js";

const CAPTIONS = {
  ff: ["goodness as orange", "goodness as blue", "goodness of positive and negative data; the line is θ"],
  mf: ["goodness of orange", "goodness of blue", "right minus wrong class’s goodness; the line is 0"],
  bp: ["read-out of orange", "read-out of blue", "right minus wrong class’s read-out; the line is 0"],
};

const FRESH = 90; // milliseconds

export class Panel {
  /** side: maps are computed at side × side places and drawn smoothly larger; `show` may be given another grid.
   *  small: only the answer and the last layer's distribution. */
  constructor(rule, side, small) {
    Object.assign(this, { rule, side, small, inView: new Set() });
    this.view = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes)
        this.inView[isIntersecting ? "add" : "delete"](target);
    });
    this.share = make("span", { class: "share" });
    this.map = canvas("map", side, side, `${RULES[rule]}: which class it names where`);
    this.dots = dotsPicture();
    this.square = make("div", { class: "square" }, this.map, this.dots);
    this.head = make(
      "div",
      { class: "answer" },
      make("div", { class: "name" }, make("span", {}, RULES[rule]), this.share),
      this.square,
    );
    this.layers = make("div", { class: "layers" });
    this.element = make(
      "div",
      { class: `rule rule-${rule}`, role: "group", "aria-label": RULES[rule] },
      this.head,
      this.layers,
    );
  }

  /** New networks: make room for their layers. */
  begin(network) {
    this.network = network;
    const shown = network.layers.map((layer, k) => ({ layer, k })).slice(this.small ? -1 : 0);
    this.rows = shown.map(({ layer, k }) => this.row(layer, k));
    this.layers.replaceChildren(...this.rows.map(({ element }) => element));
    this.view.disconnect();
    this.inView.clear();
    for (const element of [this.square, ...this.layers.children]) this.view.observe(element);
  }

  row(layer, k) {
    const { side } = this;
    const [zero, one, both] = CAPTIONS[this.rule];
    const about = `${RULES[this.rule]}, layer ${k + 1}: `;
    const histogram = canvas("histogram", 208, 128, about + both);
    const figure = (words, ...parts) =>
      make(
        "figure",
        { class: "part" },
        make("div", { class: "square" }, ...parts),
        make("figcaption", {}, words),
      );
    const [good, bad] = this.rule === "ff" ? ["positive", "negative"] : ["right", "wrong"];
    const words =
      this.rule === "ff" ? ` goodness, layer ${k + 1}; line: θ` : ` answers, layer ${k + 1}; line: a tie`;
    const spread = make(
      "figure",
      { class: "part spread" },
      histogram,
      make(
        "figcaption",
        {},
        make("b", { class: "negative" }, bad),
        " ",
        make("b", { class: "positive" }, good),
        this.small ? words : "",
      ),
    );
    if (this.small) return { k, histogram, element: spread };
    const share = make("span", { class: "share" });
    const state = make("span", { class: "state" });
    const units = canvas(
      "units",
      ...unitsSize(layer.outputs, side),
      `${about}where each of its ${layer.outputs} units is active`,
    );
    const maps = [zero, one].map((words) => canvas("map", side, side, about + words));
    const dots = [0, 1].map(dotsPicture);
    units.style.maxWidth = `${(100 * Math.min(layer.outputs, 8)) / 8}%`;
    const element = make(
      "div",
      { class: "layer" },
      make("div", { class: "name" }, make("span", {}, `Layer ${k + 1} alone`), state, share),
      units,
      make(
        "div",
        { class: "goodness" },
        figure("as orange", maps[0], dots[0]),
        figure("as blue", maps[1], dots[1]),
        spread,
      ),
    );
    return { k, element, share, state, units, maps, dots, histogram };
  }

  /** The points have changed. */
  showPoints(points) {
    showDots(this.dots, points);
    for (const { dots } of this.rows)
      dots?.forEach((picture, label) => showDots(picture, points, { label, radius: 0.04 }));
  }

  /** Look at the network as it is now and paint what it gives: the decision and every layer. In the hurry of
   *  a frame, only what is on the screen, and of the layers there those that waited longest. Returns the
   *  share of points that it gets right. */
  show(points, grid, settings, colours, hurry = false) {
    const { rule, network, inView } = this;
    const plane = hurry && !inView.size ? null : network.look(grid, "grid");
    const there = network.look(points, "points");
    // how far a score has to go for a colour to be nearly half full
    const soft = (k) =>
      rule === "ff" ? (settings.goodness === "mean" ? 1 : network.layers[k].outputs) / 4 : 1;
    const all =
      rule === "ff"
        ? network.layers.reduce((sum, _, k) => sum + soft(k) / 2, 0)
        : rule === "mf"
          ? network.layers.length
          : 1;
    if (!hurry || inView.has(this.square))
      paintDecision(this.map, scoresOf(rule, plane, grid.n), all, colours);
    for (const row of hurry ? this.oldestRows() : this.rows) {
      row.painted = performance.now();
      this.paintSpread(row, plane, there, points, settings, colours);
      if (this.small) continue;
      const { scores } = plane[row.k];
      paintUnits(row.units, plane[row.k], grid.side, colours);
      row.maps.forEach((map, label) => paintGoodness(map, scores, label, soft(row.k), colours));
      row.right = accuracy(there[row.k].scores, points);
    }
    this.right = accuracy(scoresOf(rule, there, points.n), points);
    return this.right;
  }

  /** How the scores of a layer's right and wrong answers are spread. */
  paintSpread({ k, histogram }, plane, there, { y, n }, settings, colours) {
    const { scores } = there[k];
    const above = Array.from({ length: n }, (_, s) => scores[2 * s + y[s]]);
    const below = Array.from({ length: n }, (_, s) => scores[2 * s + 1 - y[s]]);
    if (this.rule === "ff") {
      const negative = settings.negatives === "off" ? plane[k].scores : below;
      const theta = settings.theta * (settings.goodness === "mean" ? 1 : this.network.layers[k].outputs);
      paintHistogram(histogram, [above, negative], { from: -theta, to: theta, line: 0 }, colours);
    } else {
      const margins = above.map((value, s) => value - below[s]);
      const kinds = [margins.filter((m) => m > 0), margins.filter((m) => m <= 0)];
      paintHistogram(histogram, kinds, { from: -6, to: 6, line: 0, together: true }, colours);
    }
  }

  /** Say in numbers what was painted last. */
  tell(settings) {
    write(this.share, percent(this.right));
    if (this.small) return;
    for (const { k, share, state, right } of this.rows) {
      write(share, percent(right));
      write(state, this.accident(k, settings));
    }
  }

  /** Of the rows on the screen the one that was painted longest ago, and all that are no longer fresh. */
  oldestRows() {
    const rows = this.rows.filter(({ element }) => this.inView.has(element));
    const stale = performance.now() - FRESH;
    return rows.sort((a, b) => a.painted - b.painted).filter(({ painted }, i) => !i || painted < stale);
  }

  /** What an accident does to layer k, in words. */
  accident(k, { accident, at }) {
    if (accident === "freeze" && k === at - 1) return "frozen";
    return accident === "cut" && this.rule === "bp" && k < at - 1 ? "no error arrives" : "";
  }
}
