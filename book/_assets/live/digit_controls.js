// The controls beside the pad: which network, which test image, what fools it.

import { el, paintGrey, slider } from "./digit_elements.js";
import { SIDE } from "./digit_ink.js";
import { TURNS } from "./digit_turns.js";

/** Forty test images as one group of radio buttons; `choose(image, label)` with grey values from 0 to 1. */
export function testImages(digits, choose) {
  const boxes = digits.images.map(({ label, hard, pixels }, number) => {
    const grey = Float32Array.from(atob(pixels), (letter) => letter.charCodeAt(0) / 255),
      canvas = el("canvas");
    paintGrey(canvas, grey, SIDE);
    const input = el("input", {
      type: "radio",
      name: "digit-image",
      value: number,
      onchange: () => choose(grey, label),
      "aria-label": `a ${label}${hard ? ", a hard one" : ""}`,
    });
    return el("label", { class: hard ? "digit-hard" : "" }, input, canvas);
  });
  const group = el(
    "fieldset",
    {},
    el("legend", {}, "Test images of MNIST; the framed ones are hard"),
    ...boxes,
  );
  const release = () =>
    group.querySelectorAll("input").forEach((input) => {
      input.checked = false;
    });
  return {
    folded: el("details", { class: "digit-images" }, el("summary", {}, "Or take a test image"), group),
    release,
  };
}

/** Sliders that move the picture under the network, and those of the network at hand. `state` holds their
 * values. */
export function foolingSliders(state, change) {
  const pixels = (value) => `${value} px`;
  const make = (name, key, most, step, say) =>
    slider(name, { low: -most, high: most, step, value: 0, say }, (value) => {
      state.movement[key] = value;
      change();
    });
  const all = {
    right: make("Push right", "right", 8, 0.5, pixels),
    down: make("Push down", "down", 8, 0.5, pixels),
    degrees: make("Turn", "degrees", 180, 5, (value) => `${value}°`),
  };
  const strength = slider(
    "Label's strength K",
    { low: 0.02, high: 0.9, step: 0.01, value: 0.35, say: (value) => value.toFixed(2) },
    (value) => {
      state.strength = value;
      change();
    },
  );
  const enough = slider(
    "Stop when so sure",
    { low: 50, high: 99.5, step: 0.5, value: 95, say: (value) => `${value} %` },
    (value) => {
      state.enough = value / 100;
      change();
    },
  );
  const back = el("button", { type: "button", onclick: reset }, "Put back");

  function reset() {
    for (const [key, { set }] of Object.entries(all)) {
      state.movement[key] = 0;
      set(0);
    }
    if (state.network?.strength) strength.set((state.strength = state.network.strength));
    change();
  }

  /** Show the sliders that the network has a use for. */
  function fit(network) {
    state.strength = network.strength;
    strength.row.hidden = network.strength === null;
    if (network.strength !== null) strength.set(network.strength);
    enough.row.hidden = network.rule !== "mf";
  }

  const rows = [...Object.values(all).map(({ row }) => row), strength.row, enough.row];
  return { element: el("div", { class: "digit-sliders" }, ...rows, back), fit };
}

/** Buttons under which a digit becomes another; `draw(strokes)`. */
export function turns(draw) {
  return el(
    "div",
    { class: "digit-turns" },
    ...TURNS.map(({ title, strokes }) =>
      el("button", { type: "button", onclick: () => draw(strokes) }, title),
    ),
  );
}

/** What the map on the drawing can tell: `{select, fit(network), choice()}`. */
export function mapChoice(change) {
  const select = el("select", { onchange: change }),
    legend = el(
      "p",
      { class: "digit-legend" },
      el("span", { class: "digit-for" }, "blue"),
      " speaks for it, ",
      el("span", { class: "digit-against" }, "orange"),
      " against",
    );
  const row = el("div", {}, el("label", {}, el("span", {}, "Map on the drawing"), select), legend);
  function fit({ layers, rule, reads, classes }) {
    const maps = layers[0].shape[1] > 1,
      read = { ff: "read-out", cw: "goodness", mf: "goodness", bp: "logit" }[rule];
    const options = !maps
      ? [["off", "none (fully connected)"]]
      : [
          ...(rule !== "ff" || reads ? [["winner", `what speaks for the answer (${read})`]] : []),
          ...(rule === "ff" ? [["rival", "the answer rather than the runner-up (goodness)"]] : []),
          ...Array.from({ length: rule !== "ff" || reads ? classes : 0 }, (_, label) => [
            String(label),
            `what speaks for ${label}`,
          ]),
          ["off", "none"],
        ];
    const kept = select.value;
    select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    if (options.some(([value]) => value === kept) && maps && kept !== "off") select.value = kept;
    select.disabled = legend.hidden = !maps;
  }
  return { row, fit, choice: () => select.value };
}
