// Mono-Forward (Gong, Li & Abdulla 2025): every layer names the class by itself, G = a Mᵀ, through a matrix M
// of its own. Softmax cross-entropy on G changes this layer's W and M and nothing else. One pass, no negative
// data.
import { crossEntropyGradient } from "./layer.js";

export class MonoForward {
  /** matrices: a linear Layer without bias for each layer. settings: rate */
  constructor(layers, matrices, settings) {
    Object.assign(this, { layers, matrices, settings });
  }

  /** One step on points {x, y, n}; see ForwardForward for wires and frozen. */
  step({ x, y, n }, { wires = [], frozen = -1 } = {}) {
    const { layers, matrices } = this;
    const inputs = [];
    const outputs = [];
    for (const layer of layers) {
      inputs.push(x);
      outputs.push((x = layer.forward(x, n)));
    }
    let above = null;
    for (let k = layers.length - 1; k >= 0; k--) {
      const layer = layers[k];
      const M = matrices[k];
      const a = outputs[k];
      const error = crossEntropyGradient(M.forward(a, n), y, n);
      M.collect(a, null, error, n);
      const g = M.below(error, n);
      if (above) for (let i = 0; i < g.length; i++) g[i] += above[i];
      layer.collect(inputs[k], a, g, n);
      above = wires[k] ? layer.below(g, n) : null;
    }
    layers.forEach((layer, k) => {
      layer.learn(k === frozen ? 0 : this.settings.rate);
      matrices[k].learn(this.settings.rate);
    });
  }

  /** What each layer gives for points; see ForwardForward.look. A unit's vote is for class 1 where it is
   *  positive. */
  look({ x, n }, use) {
    return this.layers.map((layer, k) => {
      x = layer.forward(x, n, use);
      return {
        units: layer.outputs,
        activations: [x],
        scores: this.matrices[k].forward(x, n, use),
        votes: votes(this.matrices[k]),
      };
    });
  }
}

/** For each unit, how much more it speaks for class 1 than for class 0. */
export function votes({ inputs, weights }) {
  return Float64Array.from({ length: inputs }, (_, i) => weights.values[inputs + i] - weights.values[i]);
}
