// One rule's part of the page: its answer over the plane, and for each layer its units, its goodness, its own
// accuracy.
import { make, canvas, percent, write } from "./dom.js";
import { RULES, accuracy, scoresOf } from "./network.js";
import { paintDecision, paintGoodness, paintHistogram, paintPoints, paintUnits, unitsSize } from "./draw.js";

const CAPTIONS = {
  ff: ["goodness as orange", "goodness as blue", "goodness of positive and negative data; the line is θ"],
  mf: ["goodness of orange", "goodness of blue", "right minus wrong class’s goodness; the line is 0"],
  bp: ["read-out of orange", "read-out of blue", "right minus wrong class’s read-out; the line is 0"],
};

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
    this.dots = canvas("dots", 480, 480);
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
        make("b", { class: "positive" }, good),
        " ",
        make("b", { class: "negative" }, bad),
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
    const dots = [0, 1].map(() => canvas("dots", 160, 160));
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

  /** The points have changed, or the theme. */
  showPoints(points, colours) {
    paintPoints(this.dots, points, colours);
    for (const { dots } of this.rows) {
      dots?.forEach((one, label) => paintPoints(one, points, colours, { label, size: 3 }));
    }
  }

  /** Look at the network as it is now and paint what it gives: the decision and every layer. In the hurry of a
   *  frame, only what is on the screen, and of the layers there the next one. Returns the share of points that
   *  it gets right. */
  show(points, grid, settings, colours, hurry = false) {
    const { rule, network, inView } = this;
    const plane = hurry && !inView.size ? null : network.look(grid, "grid");
    const there = network.look(points, "points");
    const soft = (k) =>
      rule === "ff" ? (settings.goodness === "mean" ? 1 : network.layers[k].outputs) / 4 : 1;
    const all =
      rule === "ff"
        ? network.layers.reduce((sum, _, k) => sum + soft(k) / 2, 0)
        : rule === "mf"
          ? network.layers.length
          : 1;
    const right = accuracy(scoresOf(rule, there, points.n), points);
    if (!hurry || inView.has(this.square))
      paintDecision(this.map, scoresOf(rule, plane, grid.n), all, colours);
    write(this.share, percent(right));
    for (const row of hurry ? this.nextRow() : this.rows) {
      const k = row.k;
      const scores = there[k].scores;
      const above = Array.from({ length: points.n }, (_, s) => scores[2 * s + points.y[s]]);
      let below = Array.from({ length: points.n }, (_, s) => scores[2 * s + 1 - points.y[s]]);
      if (rule === "ff") {
        if (settings.negatives === "off") below = plane[k].scores;
        const unit = settings.goodness === "mean" ? 1 : network.layers[k].outputs;
        const theta = settings.theta * unit;
        paintHistogram(row.histogram, [above, below], { from: -theta, to: theta, line: 0 }, colours);
      } else {
        const margins = above.map((value, s) => value - below[s]);
        paintHistogram(
          row.histogram,
          [margins.filter((m) => m > 0), margins.filter((m) => m <= 0)],
          { from: -6, to: 6, line: 0, together: true },
          colours,
        );
      }
      if (this.small) continue;
      paintUnits(row.units, plane[k], grid.side, colours);
      row.maps.forEach((map, label) => paintGoodness(map, plane[k].scores, label, soft(k), colours));
      write(row.share, percent(accuracy(scores, points)));
      write(row.state, this.accident(k, settings));
    }
    return right;
  }

  /** The next of the rows on the screen, if there are any, as a list. */
  nextRow() {
    const rows = this.rows.filter(({ element }) => this.inView.has(element));
    this.visits = (this.visits ?? 0) + 1;
    return rows.length ? [rows[this.visits % rows.length]] : [];
  }

  /** What an accident does to layer k, in words. */
  accident(k, { accident, at }) {
    if (accident === "freeze" && k === at - 1) return "frozen";
    return accident === "cut" && this.rule === "bp" && k < at - 1 ? "no error arrives" : "";
  }
}
