// The blocks of a network: a linear map (dense or convolutional), a bias, ReLU, and pooling where there is
// some.

import { matmul, transpose } from "./digit_matrices.js";
import { fourierConvolution } from "./digit_fourier_convolution.js";

/** The blocks that a network's configuration describes, with the weights of `tensors`, for images of
 *  `[channels, height, width]`. Throws an Error when a tensor is missing or has another shape. */
export function readBlocks(config, tensors, image) {
  const blocks = [],
    count = config.blocks ? config.blocks.widths.length : config.widths.length - 1;
  let shape = config.blocks ? image : [image[0] * image[1] * image[2], 1, 1];
  let window = { start: 0, step: 1 };
  for (let number = 0; number < count; number++) {
    const at = `learner.blocks.${number}.`,
      pattern = new RegExp(`^${at.replaceAll(".", "\\.")}\\d+\\.weight$`);
    const key = Object.keys(tensors).find((name) => pattern.test(name)) ?? `${at}?.weight`;
    const bias = config.bias === false ? null : take(tensors, key.replace("weight", "bias"), null);
    const block = config.blocks
      ? convolutional(config.blocks, number, tensors, key, shape, window)
      : dense(config.widths[number + 1], tensors, key, shape);
    block.finish = (x, samples) => block.pool(rectify(x, bias?.data, block.places), samples);
    block.run = (x, samples) => block.finish(block.linear(x, samples), samples);
    block.standardise = standardise(tensors, `${at}0.`);
    blocks.push(block);
    ({ shape, window } = block);
  }
  return blocks;
}

/** A tensor of the file, its shape checked (null: any). Throws an Error that names it. */
export function take(tensors, key, shape) {
  const found = tensors[key];
  if (!found) throw new Error(`the network has no ${key}.`);
  if (shape && shape.join() !== found.shape.join()) {
    throw new Error(`${key} should be ${shape.join("×")}, and is ${found.shape.join("×")}.`);
  }
  return found;
}

function dense(outputs, tensors, key, [inputs]) {
  const weights = transpose(take(tensors, key, [outputs, inputs]).data, outputs, inputs);
  return {
    shape: [outputs, 1, 1],
    places: 1,
    window: null,
    cost: inputs * outputs,
    linear: (x, samples) => matmul(x, weights, samples, inputs, outputs),
    pool: (x) => x,
  };
}

function convolutional(form, number, tensors, key, [channels, height, width], window) {
  const filters = form.widths[number],
    { kernel, stride = 1 } = form;
  const padding = form.padding === "same" ? kernel >> 1 : 0;
  const { data } = take(tensors, key, [filters, channels, kernel, kernel]);
  const { apply, rows, columns, cost } = fourierConvolution(
    data,
    [filters, channels, kernel],
    height,
    width,
    padding,
    stride,
  );
  const pooling = Array.isArray(form.pool) ? form.pool[number] : (form.pool ?? null);
  // Place 0 of the map looks at a window of the image that is centred on pixel `start`; the next one is
  // `step` pixels on.
  let start = window.start + window.step * ((kernel - 1) / 2 - padding),
    step = window.step * stride;
  if (pooling) [start, step] = [start + step / 2, step * 2];
  return {
    shape: pooling ? [filters, rows >> 1, columns >> 1] : [filters, rows, columns],
    places: rows * columns,
    window: { start, step },
    cost,
    linear: apply,
    pool: pooling ? (x, samples) => pool(x, samples * filters, rows, columns, pooling) : (x) => x,
  };
}

/** max(0, x + bias), in place; each channel's bias holds for all its places. */
function rectify(x, bias, places) {
  for (let i = 0; i < x.length; i += places) {
    const shift = bias ? bias[(i / places) % bias.length] : 0;
    for (let place = i; place < i + places; place++) x[place] = Math.max(0, x[place] + shift);
  }
  return x;
}

/** The largest, or the mean, of each 2×2 places; an odd last row or column is left out. */
function pool(x, maps, rows, columns, kind) {
  const high = rows >> 1,
    wide = columns >> 1,
    out = new Float32Array(maps * high * wide);
  for (let map = 0, to = 0; map < maps; map++) {
    for (let row = 0; row < high; row++) {
      for (let column = 0; column < wide; column++, to++) {
        const at = (map * rows + 2 * row) * columns + 2 * column;
        const a = x[at],
          b = x[at + 1],
          c = x[at + columns],
          d = x[at + columns + 1];
        out[to] = kind === "max" ? Math.max(a, b, c, d) : (a + b + c + d) / 4;
      }
    }
  }
  return out;
}

/** (image − mean) / deviation, where the network begins with that; of grey images. */
function standardise(tensors, at) {
  if (!tensors[`${at}mean`]) return (image) => image;
  const [mean, deviation] = ["mean", "std"].map((name) => take(tensors, `${at}${name}`, [1, 1, 1]).data[0]);
  return (image) => image.map((value) => (value - mean) / deviation);
}
