// What the playground can be told, what it is told at first, six prepared scenes, and the state in the
// address.

/** What each setting may be: a list of choices with their words on the page, or a range of numbers. */
export const SETTINGS = {
  data: {
    ring: "ring",
    xor: "XOR",
    moons: "moons",
    spiral: "spiral",
    blobs: "two blobs",
    painted: "your own points",
  },
  noise: { min: 0, max: 0.2, step: 0.01 },
  seed: { min: 1, max: 99, step: 1 },
  layers: { min: 1, max: 4, step: 1 },
  units: { min: 2, max: 16, step: 1 },
  rate: { 0.003: "0.003", 0.01: "0.01", 0.02: "0.02", 0.05: "0.05", 0.1: "0.1" },
  through: { false: "strictly local", true: "through the stack" },
  theta: { min: 0.1, max: 4, step: 0.1 },
  goodness: { sum: "sum of squares", mean: "mean of squares" },
  negatives: { wrong: "wrong label", hard: "wrong label, hard ones", off: "points off the data" },
  norm: { true: "on", false: "off" },
  accident: { none: "nothing", cut: "cut the wire below layer", freeze: "freeze layer" },
  at: { min: 1, max: 4, step: 1 },
  speed: { 0.2: "12 steps a second", 1: "60 steps a second", 5: "300 steps a second" },
  steps: { min: 0, max: 5000, step: 1 },
};

export const DEFAULTS = {
  data: "ring",
  noise: 0.03,
  seed: 1,
  layers: 2,
  units: 8,
  rate: 0.02,
  through: false,
  theta: 1,
  goodness: "sum",
  negatives: "wrong",
  norm: true,
  accident: "none",
  at: 2,
  speed: 1,
  steps: 0,
  points: "",
};

/** A change of one of these begins anew; all others can change while learning goes on. */
export const REMAKES = ["data", "noise", "seed", "layers", "units"];

/** Six scenes: a name, what differs from the defaults, and what to look for. tests/test_live_playground.py
 *  checks the words. */
export const SCENES = {
  ring: {
    title: "Two answers",
    changes: {},
    look:
      "All three rules close the ring; watch Forward-Forward’s positive (green) and negative " +
      "(magenta) goodness move apart, to either side of θ.",
  },
  copy: {
    title: "The copy",
    changes: { data: "moons", norm: false, layers: 3 },
    look:
      "Without normalisation Forward-Forward’s second and third layers only read off the length of " +
      "the first one’s answer: all three stop at the same accuracy. Switch it on.",
  },
  hard: {
    title: "Hard negatives",
    changes: { data: "moons", negatives: "hard", layers: 3 },
    look:
      "Forward-Forward practises on the wrong labels that it believes most, and gets every point " +
      "right within 300 steps; with all wrong labels alike it does not.",
  },
  off: {
    title: "Off the data",
    changes: { data: "xor", negatives: "off", units: 16 },
    look:
      "Negative data are random places with random labels: goodness becomes a map of where each class " +
      "lives, and still names the class.",
  },
  spiral: {
    title: "The spiral",
    changes: { data: "spiral", layers: 3, units: 16 },
    look:
      "Backpropagation shapes all layers for one purpose and wins; let the local rules send errors " +
      "through the stack, and Mono-Forward catches up.",
  },
  cut: {
    title: "Cut the wire",
    changes: { data: "spiral", layers: 3, units: 16, accident: "cut", at: 3 },
    look:
      "No error passes from layer 3 down to layer 2: backpropagation is stuck with untrained layers, " +
      "and the local rules do not notice.",
  },
};

/** The state in an address' hash, "#data=spiral&units=16": {state, complaints}, one sentence for each part
 *  that makes no sense. */
export function readState(hash) {
  const state = { ...DEFAULTS };
  const complaints = [];
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const scene = given.get("scene");
  if (scene !== null) {
    if (Object.hasOwn(SCENES, scene)) Object.assign(state, SCENES[scene].changes);
    else complaints.push(`There is no scene “${scene}”; there are ${Object.keys(SCENES).join(", ")}.`);
  }
  for (const [key, text] of given) {
    if (key === "scene") continue;
    const value = key === "points" ? text : readValue(key, text);
    if (value === undefined) complaints.push(`The address asks for ${key}=${text}; ${allowed(key)}.`);
    else state[key] = value;
  }
  if (state.points) state.data = "painted";
  return { state, complaints };
}

/** A setting's value from text, or undefined where it may not be that. */
export function readValue(key, text) {
  if (!Object.hasOwn(SETTINGS, key)) return undefined;
  const may = SETTINGS[key];
  const number = Number(text);
  if ("step" in may) {
    const steps = (number - may.min) / may.step;
    const fits = number >= may.min && number <= may.max && Math.abs(steps - Math.round(steps)) < 1e-6;
    return text.trim() && fits ? number : undefined;
  }
  if (!Object.hasOwn(may, text)) return undefined;
  return { true: true, false: false }[text] ?? (Number.isNaN(number) ? text : number);
}

function allowed(key) {
  if (!Object.hasOwn(SETTINGS, key)) return "there is no such setting";
  const may = SETTINGS[key];
  return "step" in may
    ? `it can be ${may.min} to ${may.max} in steps of ${may.step}`
    : `it can be ${Object.keys(may).join(", ")}`;
}

/** The hash of a state: what differs from the defaults. */
export function writeState(state) {
  const told = Object.entries(state).filter(([key, value]) => key in DEFAULTS && value !== DEFAULTS[key]);
  return told.length ? `#${new URLSearchParams(told)}` : "";
}

/** The scene that a state shows, or undefined. */
export function sceneOf(state) {
  const plain = (changes) => writeState({ ...DEFAULTS, ...changes, speed: 1, steps: 0 });
  return Object.keys(SCENES).find((name) => plain(SCENES[name].changes) === plain(state));
}
