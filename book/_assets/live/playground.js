// The playground: points of the plane, three rules that learn them side by side, and the reader's hand on every setting.
import { mountAll, onTheme, calm } from "./loader.js";
import { make } from "./dom.js";
import { generator } from "./random.js";
import { makePoints, makeGrid, readPoints, writePoints } from "./data.js";
import { RULES, makeNetworks, learn } from "./network.js";
import { DEFAULTS, REMAKES, SCENES, readState, writeState } from "./scenes.js";
import { palette } from "./draw.js";
import { Panel } from "./panel.js";
import { Controls, Scenes } from "./controls.js";
import { Brush } from "./brush.js";
import { History } from "./history.js";

const BUDGET = 12; // milliseconds of learning in a frame, whatever the speed: the page stays awake on a slow machine

/** Put a playground into an element. options, all strings: scene (a name of SCENES), size ("small": only the answers, Play and
 *  Reset), rules ("ff,mf,bp"), autoplay ("": begin when it is seen, unless the reader wants less motion). */
export function mountPlayground(element, options = {}) {
  const small = options.size === "small", rules = (options.rules ?? "ff,mf,bp").split(",");
  const unknown = [...rules.filter((rule) => !RULES[rule]), ...(options.scene && !SCENES[options.scene] ? [options.scene] : [])];
  if (unknown.length) throw new Error(`there is no rule or scene “${unknown[0]}”.`);
  const ground = new Playground(element, rules, small);
  const asked = small || !location.hash.includes("=") ? `#scene=${options.scene ?? "ring"}` : location.hash;
  ground.go(asked);
  if (!small) addEventListener("hashchange", () => ground.go(location.hash));
  if ("autoplay" in options && !calm()) ground.play();
  return ground;
}

export class Playground {
  constructor(element, rules, small) {
    const side = element.clientWidth < 500 ? 24 : 32; // a phone has smaller maps, and less to compute them with
    Object.assign(this, { element, rules, small, playing: false, seen: true, turn: 0, grid: makeGrid(side), owed: 0 });
    this.panels = rules.map((rule) => new Panel(rule, side, small));
    this.build();
    onTheme(() => this.repaint());
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.wake();
    }).observe(element);
    element.playground = this; // for whoever looks in the console
  }

  build() {
    const { element, small } = this, button = (words, onclick) => make("button", { type: "button", onclick }, words);
    this.playButton = button("Play", () => (this.playing ? this.pause() : this.play()));
    this.playButton.classList.add("play");
    this.count = make("span", { class: "count" });
    this.status = make("p", { class: "unseen", role: "status" });
    const bar = make("div", { class: "bar" }, this.playButton);
    const rules = make("div", { class: `rules rules-${this.rules.length}` }, ...this.panels.map((panel) => panel.element));
    if (small) {
      const all = make("a", { href: this.playgroundPage() }, "All settings");
      bar.append(button("Reset", () => this.reset()), this.count, all);
      this.link = all;
      element.replaceChildren(rules, bar, this.status);
      element.classList.add("live-small");
      return;
    }
    this.note = make("p", { class: "note", role: "alert", hidden: true });
    this.scenes = new Scenes((name) => this.go(`#scene=${name}`, true));
    this.brush = new Brush(() => this.points, (points) => this.paintedPoints(points));
    this.controls = new Controls((key, value) => this.change(key, value), { damage: () => this.damage(), brush: this.brush.element });
    this.history = new History(this.rules);
    for (const panel of this.panels) this.brush.listen(panel.square);
    this.copyButton = button("Copy link", () => this.copyLink());
    bar.append(button("Step", () => { this.pause(); this.step(1); this.repaint(); this.report(); }),
      button("Reset", () => { this.pause(); this.reset(); }), this.controls.field("speed"), this.count, this.copyButton);
    rules.append(this.tabs());
    element.replaceChildren(this.scenes.element, bar, this.note, this.controls.element, rules, this.history.element, this.status);
  }

  /** On a phone the layers of one rule are shown at a time: these say of which. */
  tabs() {
    const choose = (rule) => {
      this.element.dataset.shown = rule;
      for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.rule === rule));
    };
    const buttons = this.rules.map((rule) =>
      make("button", { type: "button", "data-rule": rule, onclick: () => choose(rule) }, RULES[rule]));
    choose(this.rules[0]);
    return make("div", { class: "tabs chips", role: "group", "aria-label": "Whose layers are shown" }, ...buttons);
  }

  /** Show the state that an address names. */
  go(hash, chosen = false) {
    const { state, complaints } = readState(hash);
    this.pause();
    this.state = state;
    try {
      this.own = state.points ? readPoints(state.points) : null;
    } catch (error) {
      complaints.push(`This address cannot be read whole: ${error.message}`);
      Object.assign(state, { points: "", data: DEFAULTS.data });
    }
    if (this.note) {
      this.note.hidden = !complaints.length;
      this.note.textContent = complaints.join(" ");
    }
    if (this.link) this.link.hash = hash;
    if (chosen) this.keepAddress();
    this.reset();
    if (state.steps) this.catchUp(state.steps);
  }

  /** Begin anew with the same settings: the same points, the same weights. */
  reset() {
    const { state } = this;
    state.at = Math.min(state.at, state.layers);
    this.points = state.data === "painted" ? (this.own ??= this.points ?? makePoints("ring")) : makePoints(state.data, state);
    this.networks = makeNetworks(state);
    this.random = generator(state.seed + 9000);
    this.steps = 0;
    this.history?.clear();
    for (const panel of this.panels) panel.begin(this.networks[panel.rule]);
    this.brush?.show(state.data === "painted");
    this.controls?.show(state);
    this.scenes?.show(state);
    this.repaint();
  }

  /** A setting was changed: learning goes on under it, or begins anew where the network or the points are other ones. */
  change(key, value) {
    if (key === "data" && value === "painted") this.own = this.points;
    if (key === "data") this.state.points = "";
    this.state[key] = value; // the networks read the same object
    if (key === "data" && value === "painted") this.state.points = writePoints(this.own);
    if (REMAKES.includes(key)) this.reset();
    this.controls.show(this.state);
    this.scenes.show(this.state);
    this.keepAddress();
    this.repaint();
  }

  paintedPoints(points) {
    this.own = this.points = points;
    this.state.points = writePoints(points);
    this.keepAddress();
    this.repaint();
  }

  damage() {
    for (const rule of this.rules) this.networks[rule].layers[this.state.at - 1].damage(generator(this.steps + 77));
    this.repaint();
  }

  keepAddress() {
    if (this.small) return;
    history.replaceState(null, "", writeState({ ...this.state, steps: 0 }) || location.pathname);
  }

  /** The address of this state and step: who opens it sees the same settings, and as many steps from the beginning. */
  async copyLink() {
    history.replaceState(null, "", writeState({ ...this.state, steps: Math.min(this.steps, 5000) }) || location.pathname);
    try {
      await navigator.clipboard.writeText(location.href);
      this.copyButton.textContent = "Copied";
    } catch {
      this.copyButton.textContent = "It is in the address bar";
    }
    setTimeout(() => { this.copyButton.textContent = "Copy link"; }, 2000);
  }

  step(count) {
    for (let i = 0; i < count && this.points.n; i++) {
      for (const rule of this.rules) learn(rule, this.networks[rule], this.points, this.random);
      this.steps += 1;
    }
  }

  /** So many steps at once, in pieces, so that the page does not freeze. */
  catchUp(target) {
    const networks = this.networks, piece = () => {
      if (this.networks !== networks) return; // begun anew meanwhile
      this.step(Math.min(25, target - this.steps));
      this.repaint();
      if (this.steps < target && this.points.n) setTimeout(piece);
    };
    piece();
  }

  play() {
    this.playing = true;
    this.playButton.textContent = "Pause";
    this.wake();
  }

  pause() {
    if (this.playing) this.report();
    this.playing = false;
    this.playButton.textContent = "Play";
  }

  wake() {
    if (this.playing && this.seen && !this.frame) this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  /** One frame: learn, then look at one of the networks; the others have their turn in the next frames. */
  tick(now) {
    this.frame = null;
    if (!this.playing || !this.seen) return;
    const began = performance.now(), passed = Math.min(100, now - (this.last ?? now));
    this.last = now;
    this.owed = Math.min(10, this.owed + Math.max(passed, 1) * 0.06 * this.state.speed);
    while (this.owed >= 1) {
      this.step(1);
      this.owed -= 1;
      if (performance.now() - began > BUDGET) this.owed = 0;
    }
    if (!calm() || now - (this.painted ?? 0) > 500) { // less motion: two pictures a second
      this.painted = now;
      this.show(calm() ? this.panels : [this.panels[this.turn++ % this.panels.length]]);
    }
    if (!this.points.n) this.pause();
    this.wake();
  }

  show(panels) {
    for (const panel of panels) {
      const right = panel.show(this.points, this.grid, this.state, this.colours);
      this.history?.add(panel.rule, this.steps, right);
    }
    this.history?.paint();
    this.count.textContent = `Step ${this.steps}`;
  }

  repaint() {
    if (!this.networks) return;
    this.colours = palette(this.element);
    for (const panel of this.panels) panel.showPoints(this.points, this.colours);
    this.show(this.panels);
  }

  /** Say where learning is to those who do not see it. */
  report() {
    const shares = this.panels.map(({ rule, share }) => `${RULES[rule]} ${share.textContent}`);
    this.status.textContent = `Step ${this.steps}. Points right: ${shares.join(", ")}.`;
  }

  /** The page with all settings, from wherever this is. */
  playgroundPage() {
    const script = [...document.scripts].find(({ src }) => /_static\/live\/playground\.js/.test(src));
    return script ? new URL("../../book/playground.html", script.src).href : "playground.html";
  }
}

mountAll("playground", mountPlayground);
