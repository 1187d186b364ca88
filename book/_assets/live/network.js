// The three rules on the same data, from the same weights.
import { generator } from "./random.js";
import { Layer } from "./layer.js";
import { ForwardForward, total } from "./forward_forward.js";
import { MonoForward } from "./mono_forward.js";
import { Backprop } from "./backprop.js";

export const RULES = { ff: "Forward-Forward", mf: "Mono-Forward", bp: "Backpropagation" };

/** The networks that learn: {ff, mf, bp}. Forward-Forward's first layer has two columns more, for the
 *  label; all other weights are equal, and so are the read-outs. settings: layers, units, seed, and what
 *  the rules take. */
export function makeNetworks(settings) {
  const make = (first) => {
    const random = generator(settings.seed);
    return Array.from(
      { length: settings.layers },
      (_, k) => new Layer(k ? settings.units : first, settings.units, random),
    );
  };
  const readouts = (bias) => {
    const random = generator(settings.seed + 500);
    return make(2).map(({ outputs }) => new Layer(outputs, 2, random, { bias, relu: false }));
  };
  const labelled = make(4),
    plain = () => {
      const layers = make(2);
      layers.forEach((layer, k) => share(labelled[k], layer));
      return layers;
    };
  return {
    ff: new ForwardForward(labelled, settings),
    mf: new MonoForward(plain(), readouts(false), settings),
    bp: new Backprop(plain(), readouts(true), settings),
  };
}

/** Give `to` the weights of `from`: those of its inputs that `to` has. */
function share(from, to) {
  to.weights.values.forEach((_, i) => {
    to.weights.values[i] = from.weights.values[Math.floor(i / to.inputs) * from.inputs + (i % to.inputs)];
  });
  to.bias.values.set(from.bias.values);
}

/** Where an error runs backward from a layer to the one below: nowhere if learning is local, and not where
 *  it was cut. */
export function wiresOf(rule, { layers, through, accident, at }) {
  return Array.from(
    { length: layers },
    (_, k) => k > 0 && (rule === "bp" || through) && !(accident === "cut" && k === at - 1),
  );
}

/** One step of one rule. `random` draws Forward-Forward's negatives. */
export function learn(rule, network, points, random) {
  const { settings } = network;
  const frozen = settings.accident === "freeze" ? settings.at - 1 : -1;
  const given = { wires: wiresOf(rule, settings), frozen };
  if (rule === "ff") network.step(points, network.negatives(points, random), given);
  else network.step(points, given);
}

/** What the network as a whole gives for the classes, n × 2: the layers' sum, or backpropagation's head. */
export const scoresOf = (rule, found, n) => (rule === "bp" ? found.at(-1).scores : total(found, n));

/** The share of points whose class has the higher score; NaN without points. */
export function accuracy(scores, { y, n }) {
  let right = 0;
  for (let s = 0; s < n; s++) right += scores[2 * s + 1] > scores[2 * s] === (y[s] === 1);
  return right / n;
}
