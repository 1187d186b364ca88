// A trained network of the course: from its configuration and its weights to something that one can ask.

import { layerNorm } from "./digit_matrices.js";
import { readBlocks, take } from "./digit_blocks.js";
import { forwardForward } from "./digit_forward_forward.js";
import { contributions, mapsOnto, squares } from "./digit_class_maps.js";

const RULES = { ff: forwardForward, mf: monoForward, cw: channelWise, bp: backprop };

/** A network from `about` (`{config, image, classes}`) and its tensors. `ask(image, options)` takes a flat
 * image in [0, 1]:
 *  goodness      of every block, for each class: `[Float32Array(classes), …]`; empty for backprop
 *  scores        what the network decides by, for each class
 *  logits        of the linear read-out beside it, or null
 *  labelled      FF: the labelled images, `(classes + 1, height · width)`, the neutral one last; else null
 *  maps          what each pixel adds to each class's logit, `(classes, height · width)`; null for fully
 *  connected blocks
 *  goodnessMaps  FF: what each pixel adds to each label's goodness; else null
 *  `layers` tells each block's shape and its multiplications, `judge` the first block with a say,
 *  `strength` K if there is one. */
export function readNetwork({ config, image, classes }, tensors) {
  const rule = RULES[config?.rule];
  if (!rule) throw new Error(`this page knows no rule "${config?.rule}".`);
  const blocks = readBlocks(config, tensors, image),
    [, height, width] = image;
  const made = rule(config, tensors, blocks, image, classes, mapsOnto(height, width, blocks));
  const layers = blocks.map(({ shape, cost }) => ({ shape, cost }));
  return { judge: 0, strength: null, reads: false, rule: config.rule, classes, layers, ...made };
}

/** Every block has a matrix of its own that turns its activations into the goodness of each class; they are
 * added up. */
function monoForward(config, tensors, blocks, [, height, width], classes, onImage) {
  if (config.network?.places) throw new Error("this page knows Mono-Forward that reads whole maps only.");
  const heads = blocks.map(({ shape }, number) => ({
    weights: take(tensors, `learner.projections.${number}.weight`, [classes, shape[0] * shape[1] * shape[2]])
      .data,
  }));
  function ask(image) {
    const maps = blocks[0].window ? new Float32Array(classes * height * width) : null,
      goodness = [];
    activations(blocks, image, (x) => x).forEach((x, number) => {
      goodness.push(read(x, heads[number], blocks[number], classes, maps, (map) => onImage(number, map)));
    });
    return { ...NOTHING, goodness, scores: total(goodness), maps };
  }
  return { ask };
}

/** Each class owns an equal share of every block's channels; its goodness is their mean square. */
function channelWise(config, tensors, blocks, [, height, width], classes, onImage) {
  const sizes = blocks.map(({ shape }) => shape[0] * shape[1] * shape[2]),
    features = sizes.reduce((a, b) => a + b);
  const linear = tensors["linear.weight"] && {
    weights: take(tensors, "linear.weight", [classes, features]).data,
    bias: take(tensors, "linear.bias", [classes]).data,
  };
  function ask(image) {
    const maps = blocks[0].window ? new Float32Array(classes * height * width) : null,
      goodness = [];
    const logits = linear ? linear.bias.slice() : null;
    let used = 0;
    activations(blocks, image, (x) => layerNorm(x, 1)).forEach((x, number) => {
      const own = x.length / classes,
        channels = blocks[number].shape[0] / classes,
        seen = layerNorm(x, 1);
      goodness.push(
        Float32Array.from({ length: classes }, (_, label) => {
          const map = squares(x.subarray(label * own, (label + 1) * own), channels).map(
            (value) => value / own,
          );
          if (maps)
            onImage(number, map).forEach((value, pixel) => {
              maps[label * height * width + pixel] += value;
            });
          return sum(map);
        }),
      );
      for (let label = 0; linear && label < classes; label++) {
        const from = label * features + used;
        logits[label] += sum(contributions(seen, linear.weights.subarray(from, from + x.length), 1));
      }
      used += x.length;
    });
    return { ...NOTHING, goodness, scores: total(goodness), logits, maps };
  }
  return { ask, reads: Boolean(linear) };
}

/** The control: the same blocks under one linear head, trained end to end. */
function backprop(config, tensors, blocks, [, height, width], classes, onImage) {
  const top = blocks.at(-1),
    inputs = top.shape[0] * top.shape[1] * top.shape[2];
  const head = {
    weights: take(tensors, "learner.head.weight", [classes, inputs]).data,
    bias: config.network?.bias === false ? null : take(tensors, "learner.head.bias", [classes]).data,
  };
  function ask(image) {
    const maps = top.window ? new Float32Array(classes * height * width) : null,
      x = activations(blocks, image, (x) => x).at(-1);
    return {
      ...NOTHING,
      scores: read(x, head, top, classes, maps, (map) => onImage(blocks.length - 1, map)),
      maps,
    };
  }
  return { ask };
}

const NOTHING = { goodness: [], logits: null, labelled: null, maps: null, goodnessMaps: null };

/** What each block gives out for one image; each feeds the next one, through `norm`. */
function activations(blocks, image, norm) {
  let x = blocks[0].standardise(image);
  return blocks.map((block) => (x = block.run(norm(x), 1)));
}

/** A linear classifier's answer to one block; the places' shares are added to `maps`, if there are any. */
function read(x, { weights, bias }, block, classes, maps, onImage) {
  return Float32Array.from({ length: classes }, (_, label) => {
    const map = contributions(x, weights.subarray(label * x.length, (label + 1) * x.length), block.shape[0]);
    if (maps) {
      const spread = onImage(map),
        from = label * spread.length;
      for (let i = 0; i < spread.length; i++) maps[from + i] += spread[i];
    }
    return sum(map) + (bias ? bias[label] : 0);
  });
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const total = (goodness) =>
  goodness[0].map((_, label) => goodness.reduce((sum, block) => sum + block[label], 0));
