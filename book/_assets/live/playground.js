// The playground: points of the plane, three rules that learn them side by side, and the reader's hand on
// every setting.
import { mountAll, onTheme, calm } from "./loader.js";
import { generator } from "./random.js";
import { write } from "./dom.js";
import { makePoints, makeGrid, readPoints, writePoints } from "./data.js";
import { RULES, makeNetworks, learn } from "./network.js";
import { DEFAULTS, REMAKES, SCENES, readState, writeState } from "./scenes.js";
import { palette } from "./draw.js";
import { Panel } from "./panel.js";
import { layOut } from "./layout.js";

const LATE = 22; // milliseconds between frames from which on maps are coarser while it plays
const BUDGET = 8; // milliseconds of learning in a frame, whatever the speed: a slow machine stays awake

/** Put a playground into an element. options, all strings: scene (a name of SCENES), size ("small": only
 *  the answers, Play and Reset), rules ("ff,mf,bp"), autoplay ("": begin when it is seen, unless the reader
 *  wants less motion). */
export function mountPlayground(element, options = {}) {
  const small = options.size === "small";
  const rules = (options.rules ?? "ff,mf,bp").split(",");
  const unknown = [
    ...rules.filter((rule) => !RULES[rule]),
    ...(options.scene && !SCENES[options.scene] ? [options.scene] : []),
  ];
  if (unknown.length) throw new Error(`there is no rule or scene “${unknown[0]}”.`);
  const ground = new Playground(element, rules, small);
  const ours = () => !small && location.hash.includes("="); // and not a place on the page
  ground.go(ours() ? location.hash : `#scene=${options.scene ?? "ring"}`);
  addEventListener("hashchange", () => ours() && ground.go(location.hash));
  if ("autoplay" in options && !calm()) ground.play();
  return ground;
}

export class Playground {
  constructor(element, rules, small) {
    const side = element.clientWidth < 500 ? 24 : 32; // a phone has smaller maps, and is slower
    Object.assign(this, {
      element,
      rules,
      small,
      playing: false,
      seen: true,
      turn: 0,
      grids: [makeGrid(side), makeGrid(side - 8)], // sides that 8 divides
      owed: 0,
    });
    this.panels = rules.map((rule) => new Panel(rule, side, small));
    // Who is painted in which frame. Forward-Forward looks at the plane under both labels: it has a frame to
    // itself. On a late machine every rule has one.
    this.turns = [this.panels.slice(0, 1), this.panels.slice(1)].filter((turn) => turn.length);
    this.lateTurns = this.panels.map((panel) => [panel]);
    Object.assign(this, layOut(this));
    onTheme(() => this.repaint());
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.wake();
    }).observe(element);
    element.playground = this; // for whoever looks in the console
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
    this.note.hidden = !complaints.length;
    this.note.textContent = complaints.slice(0, 3).join(" ");
    if (this.link) this.link.hash = hash;
    if (chosen) this.keepAddress();
    this.reset();
    if (state.steps) this.catchUp(state.steps);
  }

  /** Begin anew with the same settings: the same points, the same weights. */
  reset() {
    const { state } = this;
    state.at = Math.min(state.at, state.layers);
    this.points =
      state.data === "painted"
        ? (this.own ??= this.points ?? makePoints("ring"))
        : makePoints(state.data, state);
    this.networks = makeNetworks(state);
    this.random = generator(state.seed + 9000);
    this.steps = 0;
    this.pace = null;
    this.history?.clear();
    for (const panel of this.panels) panel.begin(this.networks[panel.rule]);
    this.brush?.show(state.data === "painted");
    this.controls?.show(state);
    this.scenes?.show(state);
    this.repaint();
  }

  /** A setting was changed: learning goes on under it, or begins anew where the network or the points are
   *  other ones. */
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
    for (const rule of this.rules)
      this.networks[rule].layers[this.state.at - 1].damage(generator(this.steps + 77));
    this.repaint();
  }

  keepAddress() {
    if (this.small) return;
    history.replaceState(null, "", writeState({ ...this.state, steps: 0 }) || location.pathname);
  }

  /** The address of this state and step: who opens it sees the same settings, and as many steps from the
   *  beginning. */
  async copyLink() {
    history.replaceState(
      null,
      "",
      writeState({ ...this.state, steps: Math.min(this.steps, 5000) }) || location.pathname,
    );
    try {
      await navigator.clipboard.writeText(location.href);
      this.copyButton.textContent = "Copied";
    } catch {
      this.copyButton.textContent = "It is in the address bar";
    }
    setTimeout(() => {
      this.copyButton.textContent = "Copy link";
    }, 2000);
  }

  step(count) {
    for (let i = 0; i < count && this.points.n; i++) {
      for (const rule of this.rules) learn(rule, this.networks[rule], this.points, this.random);
      this.steps += 1;
    }
  }

  /** So many steps at once, in pieces, so that the page does not freeze. */
  catchUp(target) {
    const networks = this.networks,
      piece = () => {
        if (this.networks !== networks) return; // begun anew meanwhile
        this.step(Math.min(25, target - this.steps));
        this.repaint();
        if (this.steps < target && this.points.n) setTimeout(piece);
      };
    piece();
  }

  play() {
    Object.assign(this, { playing: true, gap: 0, late: false, pace: null });
    this.playButton.textContent = "Pause";
    this.wake();
  }

  pause() {
    if (this.playing) {
      this.slow = 0;
      this.show(this.panels); // whole, where frames left layers out
      this.report();
    }
    this.playing = false;
    this.playButton.textContent = "Play";
  }

  wake() {
    if (this.playing && this.seen && !this.frame) this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  /** One frame: learn, then look at the networks whose turn it is. */
  tick(now) {
    this.frame = null;
    if (!this.playing || !this.seen) return;
    const began = performance.now();
    const waited = now - (this.last ?? now);
    this.last = now;
    this.gap += 0.1 * (Math.min(50, waited) - this.gap); // one hiccup is no slow machine
    this.late ||= this.gap > LATE;
    this.owed += Math.max(1, Math.min(100, waited)) * 0.06 * this.state.speed;
    while (this.owed >= 1 && performance.now() - began < BUDGET) {
      this.step(1);
      this.owed -= 1;
    }
    this.owed = Math.min(this.owed, 1); // what a slow machine did not manage is not made up for
    this.keepPace(now, waited);
    if (!calm() || now - (this.painted ?? 0) > 500) {
      // less motion: two pictures a second
      this.painted = now;
      const turns = this.late ? this.lateTurns : this.turns;
      this.show(calm() ? this.panels : turns[this.turn++ % turns.length], !calm());
    }
    if (!this.points.n) this.pause();
    this.wake();
  }

  /** Note once a second how many steps it learned, where these are clearly fewer than asked for: `slow`,
   *  else 0. */
  keepPace(now, waited) {
    const { speed } = this.state;
    if (this.pace?.speed !== speed || waited > 1000)
      Object.assign(this, { pace: { speed, from: now, steps: this.steps }, slow: 0 });
    const seconds = (now - this.pace.from) / 1000;
    if (seconds < 1) return;
    const learned = (this.steps - this.pace.steps) / seconds;
    this.slow = learned < 0.9 * 60 * speed ? Math.round(learned) : 0;
    Object.assign(this.pace, { from: now, steps: this.steps });
  }

  show(panels, hurry = false) {
    const grid = this.grids[hurry && this.late ? 1 : 0];
    for (const panel of panels) {
      const right = panel.show(this.points, grid, this.state, this.colours, hurry);
      this.history?.add(panel.rule, this.steps, right);
    }
    // Each change of these lays out the page anew, so in a hurry they follow four times a second.
    if (hurry && performance.now() - (this.written ?? 0) < 250) return;
    this.written = performance.now();
    for (const panel of this.panels) panel.tell(this.state);
    this.history?.paint();
    write(this.count, `Step ${this.steps}${this.slow ? ` (here ${this.slow} a second)` : ""}`);
  }

  repaint() {
    if (!this.networks) return;
    this.colours = palette(this.element);
    for (const panel of this.panels) panel.showPoints(this.points);
    this.show(this.panels);
  }

  /** Say where learning is to those who do not see it. */
  report() {
    const shares = this.panels.map(({ rule, share }) => `${RULES[rule]} ${share.textContent}`);
    this.status.textContent = `Step ${this.steps}. Points right: ${shares.join(", ")}.`;
  }
}

mountAll("playground", mountPlayground);
