// The control: one loss at the top, whose gradient runs down through all layers. Below it hangs everything.
import { crossEntropyGradient } from "./layer.js";
import { votes } from "./mono_forward.js";

export class Backprop {
  /** readouts: a linear Layer for each layer. The last one is the head. The others are for us to look
   *  through: each learns to name the class from its layer and sends nothing back. settings: rate */
  constructor(layers, readouts, settings) {
    Object.assign(this, { layers, readouts, settings });
  }

  /** One step on points {x, y, n}; see ForwardForward for wires and frozen. Here every wire is whole unless
   *  it is cut. */
  step({ x, y, n }, { wires = this.layers.map(() => true), frozen = -1 } = {}) {
    const { layers, readouts } = this;
    const inputs = [];
    const outputs = [];
    for (const layer of layers) {
      inputs.push(x);
      outputs.push((x = layer.forward(x, n)));
    }
    let above = null;
    for (let k = layers.length - 1; k >= 0; k--) {
      const layer = layers[k];
      const readout = readouts[k];
      const a = outputs[k];
      const error = crossEntropyGradient(readout.forward(a, n), y, n);
      readout.collect(a, null, error, n);
      if (k === layers.length - 1) above = readout.below(error, n);
      if (above) layer.collect(inputs[k], a, above, n);
      above = above && wires[k] ? layer.below(above, n) : null;
    }
    layers.forEach((layer, k) => {
      layer.learn(k === frozen ? 0 : this.settings.rate);
      readouts[k].learn(this.settings.rate);
    });
  }

  /** What each layer gives for points; see ForwardForward.look. */
  look({ x, n }, use) {
    return this.layers.map((layer, k) => {
      x = layer.forward(x, n, use);
      return {
        units: layer.outputs,
        activations: [x],
        scores: this.readouts[k].forward(x, n, use),
        votes: votes(this.readouts[k]),
      };
    });
  }
}
