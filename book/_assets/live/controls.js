// The playground's controls: plain form elements with names, so that a keyboard and a screen reader can use
// them.
import { make } from "./dom.js";
import { SCENES, SETTINGS, readValue, sceneOf } from "./scenes.js";

const WORDS = {
  data: "Points",
  noise: "Noise",
  seed: "Seed",
  layers: "Layers",
  units: "Units a layer",
  rate: "Rate",
  through: "Errors",
  theta: "θ for each unit",
  goodness: "Goodness",
  negatives: "Negative data",
  norm: "Normalisation",
  accident: "Accident",
  at: "Layer",
  speed: "Speed",
};

const GROUPS = {
  Data: ["data", "noise", "seed"],
  Network: ["layers", "units", "rate", "through"],
  "Forward-Forward only": ["theta", "goodness", "negatives", "norm"],
  "While it learns": ["accident", "at"],
};

/** The fields of all settings. `change(key, value)` is called when one changes; show(state) sets them all.
 *  `more` names what else belongs to a group. */
export class Controls {
  constructor(change, more) {
    this.change = change;
    this.fields = {};
    this.groups = Object.entries(GROUPS).map(([legend, keys]) => {
      const fields = keys.map((key) => this.field(key));
      return make("fieldset", {}, make("legend", {}, legend), ...fields, ...[more[legend] ?? []].flat());
    });
    this.element = make(
      "details",
      { class: "settings", open: matchMedia("(min-width: 720px)").matches },
      make("summary", {}, "Settings"),
      make("div", { class: "groups" }, ...this.groups),
    );
  }

  /** One setting: a list of choices, or a slider with its value beside it. */
  field(key) {
    const may = SETTINGS[key];
    let input, value;
    if ("step" in may) {
      value = make("span", { class: "value" }); // a slider says its value by itself
      input = make("input", { type: "range", ...may });
      input.addEventListener("input", () => {
        value.textContent = input.value;
      });
    } else {
      input = make(
        "select",
        {},
        ...Object.entries(may).map(([choice, words]) => make("option", { value: choice }, words)),
      );
    }
    input.name = key;
    input.addEventListener(key === "theta" || key === "noise" ? "input" : "change", () =>
      this.change(key, readValue(key, input.value)),
    );
    this.fields[key] = { input, value };
    return make(
      "label",
      {},
      make("span", {}, WORDS[key], value ? " " : "", ...(value ? [value] : [])),
      input,
    );
  }

  show(state) {
    for (const [key, { input, value }] of Object.entries(this.fields)) {
      if (key === "at") input.max = state.layers;
      input.value = String(state[key]);
      if (value) value.textContent = input.value;
    }
    this.fields.noise.input.disabled = state.data === "painted";
  }
}

/** The six scenes as buttons, and the sentence of the one that is shown. */
export class Scenes {
  constructor(choose) {
    this.buttons = Object.entries(SCENES).map(([name, { title }]) =>
      make("button", { type: "button", "data-scene": name, onclick: () => choose(name) }, title),
    );
    this.look = make("p", { class: "look", "aria-live": "polite" });
    this.element = make(
      "div",
      { class: "scenes" },
      make("div", { class: "chips", role: "group", "aria-label": "Prepared scenes" }, ...this.buttons),
      this.look,
    );
  }

  show(state) {
    const shown = sceneOf(state);
    for (const button of this.buttons)
      button.setAttribute("aria-pressed", String(button.dataset.scene === shown));
    this.look.textContent = shown
      ? SCENES[shown].look
      : "Your own settings. The address keeps them: copy it to share what you see.";
  }
}
