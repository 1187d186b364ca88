// Forward-Forward (Hinton 2022): a layer learns to answer positive data with high goodness and negative data
// with low. A point with its right label is positive, with the wrong one negative; the label is two more
// inputs, 1 0 or 0 1.
import { Arrays, rmsNorm, rmsNormBelow, sigmoid } from "./layer.js";

export class ForwardForward {
  /** settings: goodness "sum" or "mean" of the squared activations, theta (for one unit), norm, negatives,
   *  rate */
  constructor(layers, settings) {
    Object.assign(this, { layers, settings, arrays: new Arrays() });
  }

  /** One step on points {x, y, n} against negative ones, in which every layer learns at once. wires[k] says
   *  whether layer k sends its error on to layer k − 1: a local rule has none. frozen is a layer, or −1. */
  step(points, negative, { wires = [], frozen = -1 } = {}) {
    const { layers, settings } = this;
    const n = points.n + negative.n;
    const inputs = [];
    const outputs = [];
    let x = join(withLabels(points.x, points.y), withLabels(negative.x, negative.y));
    layers.forEach((layer, k) => {
      inputs.push({ raw: x, x: this.normed(x, n, `input ${k}`) });
      outputs.push((x = layer.forward(inputs[k].x, n)));
    });
    let above = null;
    for (let k = layers.length - 1; k >= 0; k--) {
      const layer = layers[k];
      const { raw, x } = inputs[k];
      const a = outputs[k];
      const g = this.ownGradient(a, layer.outputs, points.n, n);
      if (above) for (let i = 0; i < g.length; i++) g[i] += above[i];
      layer.collect(x, a, g, n);
      above = wires[k] ? layer.below(g, n) : null;
      if (above && settings.norm) above = rmsNormBelow(raw, above, n);
    }
    layers.forEach((layer, k) => layer.learn(k === frozen ? 0 : settings.rate));
  }

  /** The whole rule. Excess = goodness − θ; loss = −log σ(excess) of positive and −log(1 − σ(excess)) of
   *  negative data. Its gradient at an activation a is 2 a dL/dG: nothing but what this layer itself gave
   *  out. */
  ownGradient(a, units, positives, n) {
    const g = this.arrays.get("gradient", a.length);
    const excess = this.excess(a, units, n);
    const shrink = this.settings.goodness === "mean" ? units : 1;
    for (let s = 0; s < n; s++) {
      const sign = s < positives ? -1 : 1;
      const share = 0.5 / (s < positives ? positives : n - positives);
      const slope = sign * sigmoid(sign * excess[s]) * share;
      for (let i = s * units; i < (s + 1) * units; i++) g[i] = (2 * slope * a[i]) / shrink;
    }
    return g;
  }

  /** Goodness minus threshold of each of n samples. */
  excess(a, units, n) {
    const mean = this.settings.goodness === "mean";
    const { theta } = this.settings;
    const out = this.arrays.get("excess", n);
    for (let s = 0; s < n; s++) {
      let sum = 0;
      for (let i = s * units; i < (s + 1) * units; i++) sum += a[i] * a[i];
      out[s] = mean ? sum / units - theta : sum - theta * units;
    }
    return out;
  }

  /** What the next layer gets. */
  normed(x, n, use) {
    return this.settings.norm ? rmsNorm(x, n, this.arrays.get(use, x.length)) : x;
  }

  /** What each layer gives for points under either label: [{activations: [of label 0, of label 1], scores:
   *  n × 2}]. */
  look({ x, n }, use) {
    const found = this.layers.map((layer) => ({
      units: layer.outputs,
      activations: [],
      scores: new Float64Array(2 * n),
    }));
    for (const label of [0, 1]) {
      let h = withLabels(x, new Uint8Array(n).fill(label));
      this.layers.forEach((layer, k) => {
        h = layer.forward(this.normed(h, n, use + layer.inputs), n, use + label);
        found[k].activations.push(h);
        this.excess(h, layer.outputs, n).forEach((value, s) => {
          found[k].scores[2 * s + label] = value;
        });
      });
    }
    return found;
  }

  /** Negative data for points. "wrong": each with its wrong label. "hard": the same, drawn in proportion to
   *  how much the network believes it. "off": places of the plane drawn at random, with a random label. */
  negatives(points, random) {
    const { x, y, n } = points;
    const kind = this.settings.negatives;
    if (kind === "off") {
      return {
        n,
        x: Float64Array.from({ length: 2 * n }, () => 2 * random() - 1),
        y: Uint8Array.from({ length: n }, () => random() * 2),
      };
    }
    const wrong = y.map((label) => 1 - label);
    if (kind === "wrong") return { x, y: wrong, n };
    const scores = total(this.look(points, "hard"), n);
    const sums = new Float64Array(n);
    let sum = 0;
    for (let s = 0; s < n; s++)
      sums[s] = sum += sigmoid(scores[2 * s + wrong[s]] - scores[2 * s + y[s]]) + 1e-3;
    const chosen = Array.from({ length: n }, () => {
      const aim = random() * sum;
      let low = 0,
        high = n - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle] < aim) low = middle + 1;
        else high = middle;
      }
      return low;
    });
    return {
      n,
      x: Float64Array.from({ length: 2 * n }, (_, i) => x[2 * chosen[i >> 1] + (i & 1)]),
      y: wrong.map((_, i) => wrong[chosen[i]]),
    };
  }
}

/** The layers' scores added up: n × 2. */
export function total(found, n) {
  const sum = new Float64Array(2 * n);
  for (const { scores } of found) for (let i = 0; i < 2 * n; i++) sum[i] += scores[i];
  return sum;
}

/** Points with their labels beside them: n × 4. */
function withLabels(x, y) {
  const out = new Float64Array(4 * y.length);
  for (let s = 0; s < y.length; s++) {
    out[4 * s] = x[2 * s];
    out[4 * s + 1] = x[2 * s + 1];
    out[4 * s + 2 + y[s]] = 1;
  }
  return out;
}

function join(a, b) {
  const out = new Float64Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
