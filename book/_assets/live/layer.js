// One layer of a network: a = max(0, W x + b), what to change in W and b, and Adam, which changes them.
// Samples lie one after the other in flat arrays: x is n × inputs, a is n × outputs, W is outputs × inputs.

/** Weights that learn. `values` begin in [−bound, bound]; `learn` takes their gradient. */
export class Parameter {
  constructor(size, bound, random) {
    this.values = Float64Array.from({ length: size }, () => bound * (2 * random() - 1));
    this.gradient = new Float64Array(size);
    this.mean = new Float64Array(size); // Adam's running means of the gradient and of its square
    this.square = new Float64Array(size);
    this.steps = 0;
  }

  /** One step of Adam (Kingma & Ba 2015) with the gradient collected; then it is zero again. */
  learn(rate) {
    const { values, gradient, mean, square } = this;
    this.steps += 1;
    const size = rate / (1 - 0.9 ** this.steps);
    const spread = Math.sqrt(1 - 0.999 ** this.steps);
    for (let i = 0; i < values.length; i++) {
      mean[i] += 0.1 * (gradient[i] - mean[i]);
      square[i] += 0.001 * (gradient[i] * gradient[i] - square[i]);
      values[i] -= (size * mean[i]) / (Math.sqrt(square[i]) / spread + 1e-8);
    }
    gradient.fill(0);
  }
}

/** Arrays that are used again and again: new ones for each step and each frame would have to be cleared
 *  away. */
export class Arrays {
  constructor() {
    this.kept = {};
  }

  /** The array of this name, with whatever was in it last; another one where the size is another. */
  get(name, size) {
    if (this.kept[name]?.length !== size) this.kept[name] = new Float64Array(size);
    return this.kept[name];
  }
}

/** A linear map with bias, without (M of Mono-Forward) or under a ReLU. */
export class Layer {
  constructor(inputs, outputs, random, { bound = inputs ** -0.5, bias = true, relu = true } = {}) {
    Object.assign(this, { inputs, outputs, relu });
    this.weights = new Parameter(outputs * inputs, bound, random);
    this.bias = bias ? new Parameter(outputs, bound, random) : null;
    this.arrays = new Arrays();
  }

  /** Activations of n samples, in an array that is used again at the next call for the same `use`. */
  forward(x, n, use = "learn") {
    const { inputs, outputs } = this;
    const W = this.weights.values;
    const b = this.bias?.values;
    const floor = this.relu ? 0 : -Infinity;
    const a = this.arrays.get(use, n * outputs);
    for (let s = 0; s < n; s += 4) {
      // Four samples at a time (the last one again where they do not come out even): a weight is read once
      // for all of them, and a processor adds up four sums at once.
      const s2 = Math.min(s + 1, n - 1);
      const s3 = Math.min(s + 2, n - 1);
      const s4 = Math.min(s + 3, n - 1);
      for (let o = 0; o < outputs; o++) {
        const row = o * inputs;
        const start = b ? b[o] : 0;
        let sum1 = start;
        let sum2 = start;
        let sum3 = start;
        let sum4 = start;
        for (let i = 0; i < inputs; i++) {
          const w = W[row + i];
          sum1 += w * x[s * inputs + i];
          sum2 += w * x[s2 * inputs + i];
          sum3 += w * x[s3 * inputs + i];
          sum4 += w * x[s4 * inputs + i];
        }
        a[s * outputs + o] = Math.max(floor, sum1);
        a[s2 * outputs + o] = Math.max(floor, sum2);
        a[s3 * outputs + o] = Math.max(floor, sum3);
        a[s4 * outputs + o] = Math.max(floor, sum4);
      }
    }
    return a;
  }

  /** Collect the gradients of W and b from `g`, that of the loss at a (n × outputs), which the ReLU lets
   *  through in place. */
  collect(x, a, g, n) {
    const { inputs, outputs, relu } = this;
    const dW = this.weights.gradient;
    const db = this.bias?.gradient;
    for (let s = 0; s < n; s++) {
      const at = s * inputs;
      for (let o = 0; o < outputs; o++) {
        if (relu && a[s * outputs + o] === 0) g[s * outputs + o] = 0;
        const error = g[s * outputs + o];
        const row = o * inputs;
        if (error === 0) continue;
        if (db) db[o] += error;
        for (let i = 0; i < inputs; i++) dW[row + i] += error * x[at + i];
      }
    }
  }

  /** The gradient at the inputs: g W (n × inputs). This is the wire that runs backward; a local rule has no
   *  use for it. */
  below(g, n) {
    const { inputs, outputs } = this;
    const W = this.weights.values;
    const under = this.arrays.get("below", n * inputs).fill(0);
    for (let s = 0; s < n; s++) {
      for (let o = 0; o < outputs; o++) {
        const error = g[s * outputs + o];
        const row = o * inputs;
        if (error !== 0) for (let i = 0; i < inputs; i++) under[s * inputs + i] += error * W[row + i];
      }
    }
    return under;
  }

  learn(rate) {
    this.weights.learn(rate);
    this.bias?.learn(rate);
  }

  /** An accident: every weight is drawn anew, and Adam's memory of it is lost. */
  damage(random) {
    const bound = this.inputs ** -0.5;
    for (const part of [this.weights, this.bias].filter(Boolean)) {
      Object.assign(part, new Parameter(part.values.length, bound, random));
    }
  }
}

/** Each sample divided by its root mean square, so that only its direction goes on. */
export function rmsNorm(x, n, out = new Float64Array(x.length)) {
  const size = x.length / n;
  for (let at = 0; at < x.length; at += size) {
    const over = 1 / (rms(x, at, size) + 1e-8);
    for (let i = at; i < at + size; i++) out[i] = x[i] * over;
  }
  return out;
}

/** The gradient at the inputs of `rmsNorm`, from that at its outputs. */
export function rmsNormBelow(x, g, n) {
  const size = x.length / n;
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += size) {
    const length = rms(x, at, size);
    const over = 1 / (length + 1e-8);
    let dot = 0;
    for (let i = at; i < at + size; i++) dot += g[i] * x[i];
    const pull = length ? (dot * over * over) / (size * length) : 0;
    for (let i = at; i < at + size; i++) out[i] = g[i] * over - x[i] * pull;
  }
  return out;
}

function rms(x, at, size) {
  let sum = 0;
  for (let i = at; i < at + size; i++) sum += x[i] * x[i];
  return Math.sqrt(sum / size);
}

/** The gradient of softmax cross-entropy, averaged over n samples of two classes, at their scores (n × 2). */
export function crossEntropyGradient(scores, labels, n) {
  const g = new Float64Array(2 * n);
  for (let s = 0; s < n; s++) {
    const error = sigmoid(scores[2 * s + 1] - scores[2 * s]) - labels[s]; // p(class 1) minus what it should be
    g[2 * s] = -error / n;
    g[2 * s + 1] = error / n;
  }
  return g;
}

export const sigmoid = (z) => 1 / (1 + Math.exp(-z));
