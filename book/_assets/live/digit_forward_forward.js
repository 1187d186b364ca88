// A Forward-Forward network asked about an image: how good is it with each label in it?

import { layerNorm, moments } from "./digit_matrices.js";
import { take } from "./digit_blocks.js";
import { labelScheme } from "./digit_label_schemes.js";
import { contributions, squares } from "./digit_class_maps.js";

/** `ask(image, {strength})` for a network trained with `config` (see digit_networks.js for the answer). */
export function forwardForward(config, tensors, blocks, [channels, height, width], classes, onImage) {
  const network = config.network ?? {};
  if (network.norm !== "layer" || (network.goodness ?? "sum") !== "sum" || channels !== 1) {
    throw new Error("this page knows Forward-Forward with layer norm, summed goodness and grey images only.");
  }
  const scheme = labelScheme(config, height, width, classes),
    judge = network.first_judge ?? 0;
  const convolutional = Boolean(blocks[0].window),
    pixels = height * width,
    size = (block) => block.shape.reduce((a, b) => a * b);
  const features = blocks.slice(judge).reduce((sum, block) => sum + size(block), 0);
  const linear = tensors["linear.weight"] && {
    weights: take(tensors, "linear.weight", [classes, features]).data,
    bias: take(tensors, "linear.bias", [classes]).data,
  };

  // Before ReLU the first block is linear. So it reads the labels, and a picture of ones, only once, when
  // the page loads; of a drawing it reads the picture, once for all labels. Layer norm and stretching only
  // shift and scale.
  const labels = scheme.labels.length; // the classes and, last, the neutral one
  const ofParts = blocks[0].linear(join([...scheme.labels, new Float32Array(pixels).fill(1)]), labels + 1);
  const outputs = ofParts.length / (labels + 1),
    ofOnes = ofParts.subarray(labels * outputs);

  function firstBlock(picture, strength) {
    const [ours, theirs] = scheme.mix(strength),
      ofPicture = blocks[0].linear(picture, 1);
    const labelled = new Float32Array(labels * pixels),
      sums = new Float32Array(labels * outputs);
    scheme.labels.forEach((label, number) => {
      const image = labelled.subarray(number * pixels, (number + 1) * pixels);
      for (let i = 0; i < pixels; i++) image[i] = ours * picture[i] + theirs * label[i];
      const [low, high] = scheme.stretched ? extremes(image) : [0, 1],
        scale = 1 / Math.max(high - low, 1e-30);
      for (let i = 0; i < pixels; i++) image[i] = (image[i] - low) * scale;
      const { mean, inverse } = moments(image);
      const a = scale * inverse,
        b = -(low * scale + mean) * inverse;
      for (let i = 0, from = number * outputs; i < outputs; i++) {
        sums[from + i] = a * (ours * ofPicture[i] + theirs * ofParts[from + i]) + b * ofOnes[i];
      }
    });
    return { labelled, x: blocks[0].finish(sums, labels) };
  }

  function ask(image, { strength = config.labels?.strength } = {}) {
    let { labelled, x } = firstBlock(scheme.prepare(image), strength);
    const goodness = [],
      scores = new Float32Array(classes),
      logits = linear ? linear.bias.slice() : null;
    const maps = convolutional && linear ? new Float32Array(classes * pixels) : null;
    const goodnessMaps = convolutional ? new Float32Array(classes * pixels) : null;
    let used = 0;
    blocks.forEach((block, number) => {
      if (number) x = block.run(layerNorm(x, labels), labels);
      const length = x.length / labels,
        of = (label) => x.subarray(label * length, (label + 1) * length);
      const threshold = network.threshold ?? length;
      goodness.push(
        Float32Array.from({ length: classes }, (_, label) => of(label).reduce((sum, a) => sum + a * a, 0)),
      );
      if (number < judge) return;
      const seen = linear && layerNorm(of(classes), 1);
      for (let label = 0; label < classes; label++) {
        scores[label] += goodness[number][label] - threshold;
        if (goodnessMaps)
          add(goodnessMaps, label * pixels, onImage(number, squares(of(label), block.shape[0])));
        if (!linear) continue;
        const weights = linear.weights.subarray(label * features + used, label * features + used + length);
        const map = contributions(seen, weights, block.shape[0]);
        logits[label] += map.reduce((sum, value) => sum + value, 0);
        if (maps) add(maps, label * pixels, onImage(number, map));
      }
      used += length;
    });
    return { goodness, scores, logits, labelled, maps, goodnessMaps };
  }

  return { ask, judge, strength: scheme.stretched ? config.labels.strength : null, reads: Boolean(linear) };
}

function join(arrays) {
  const out = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  arrays.reduce((at, array) => (out.set(array, at), at + array.length), 0);
  return out;
}

function extremes(image) {
  let low = Infinity,
    high = -Infinity;
  for (const value of image) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

function add(to, at, values) {
  for (let i = 0; i < values.length; i++) to[at + i] += values[i];
}
