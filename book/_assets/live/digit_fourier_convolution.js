// A convolution in Fourier space. There it is a product: frequency by frequency, channels times filters.
// For 7×7 filters on a 22×22 map, transforms included, that is a fourth of the multiplications of going
// from window to window with 32 filters, and an eighth with 128.
//
// Every transform is a matrix product with cosines and sines. Of a real image half of the frequencies along
// a row suffice, and where no padding is asked for the transform has the map's own size: what wraps round
// is never kept.

import { matmul } from "./digit_matrices.js";

/** `apply(maps, count)` convolves maps `(count, channels, height, width)` with `weights` `(filters,
 *  channels, kernel, kernel)` and gives `(count, filters, rows, columns)`, without a bias. It also tells
 *  `rows`, `columns` and `cost`, the multiplications of the direct way. */
export function fourierConvolution(weights, [filters, channels, kernel], height, width, padding, stride) {
  const tall = height + 2 * padding,
    wide = width + 2 * padding;
  const half = (wide >> 1) + 1,
    frequencies = tall * half;
  const rows = Math.floor((tall - kernel) / stride) + 1,
    columns = Math.floor((wide - kernel) / stride) + 1;
  const mapsToFrequencies = transform(height, width, tall, wide, padding);
  const frequenciesToMaps = inverse(tall, wide, rows, columns, stride);

  // The filters' own transform, once: at each frequency the real parts `(channels, filters)` above the
  // imaginary ones.
  const filtersAt = new Float32Array(frequencies * 2 * channels * filters);
  transform(
    kernel,
    kernel,
    tall,
    wide,
    0,
  )(weights, filters * channels, (frequency, number, real, imaginary) => {
    const filter = Math.floor(number / channels),
      channel = number % channels;
    filtersAt[(frequency * 2 * channels + channel) * filters + filter] = real;
    filtersAt[((frequency * 2 + 1) * channels + channel) * filters + filter] = imaginary;
  });

  function apply(maps, count) {
    // (a + bi) · conj(c + di) = (ac + bd) + (bc − ad)i: one real product with rows [a b] and [b −a],
    // columns [c; d].
    const mapsAt = new Float32Array(frequencies * 4 * count * channels);
    mapsToFrequencies(maps, count * channels, (frequency, number, real, imaginary) => {
      const sample = Math.floor(number / channels),
        channel = number % channels;
      const upper = (frequency * 2 * count + sample) * 2 * channels + channel,
        lower = upper + count * 2 * channels;
      mapsAt[upper] = real;
      mapsAt[upper + channels] = imaginary;
      mapsAt[lower] = imaginary;
      mapsAt[lower + channels] = -real;
    });
    const productAt = new Float32Array(frequencies * 2 * count * filters);
    const [input, filter, output] = [4 * count * channels, 2 * channels * filters, 2 * count * filters];
    for (let f = 0; f < frequencies; f++) {
      matmul(
        mapsAt.subarray(f * input, (f + 1) * input),
        filtersAt.subarray(f * filter, (f + 1) * filter),
        2 * count,
        2 * channels,
        filters,
        productAt.subarray(f * output, (f + 1) * output),
      );
    }
    return frequenciesToMaps(productAt, count, filters);
  }

  return { apply, rows, columns, cost: rows * columns * kernel * kernel * channels * filters };
}

/** Cosines and sines of 2π·i·j/size for i, j in the given lists. */
function waves(size, first, second) {
  const angle = (i, j) => (2 * Math.PI * ((i * j) % size)) / size;
  return [Math.cos, Math.sin].map((wave) => first.map((i) => second.map((j) => wave(angle(i, j)))));
}

const range = (count, start = 0, step = 1) => Array.from({ length: count }, (_, i) => start + step * i);
const flat = (...rows) => Float32Array.from(rows.flat(Infinity));

/** Maps of `height`×`width`, laid at `offset` into `tall`×`wide` zeros → their frequencies, handed to
 * `write` one by one. */
function transform(height, width, tall, wide, offset) {
  const half = (wide >> 1) + 1;
  const [cosAlong, sinAlong] = waves(wide, range(width, offset), range(half));
  // (width, real | imaginary)
  const along = flat(cosAlong.map((row, x) => [row, sinAlong[x].map((value) => -value)]));
  // cosines above sines, (2 · tall, height)
  const down = flat(...waves(tall, range(tall), range(height, offset)));
  return (maps, count, write) => {
    const lines = matmul(maps, along, count * height, width, 2 * half),
      size = height * 2 * half;
    const both = new Float32Array(2 * tall * 2 * half);
    for (let number = 0; number < count; number++) {
      matmul(down, lines.subarray(number * size, (number + 1) * size), 2 * tall, height, 2 * half, both);
      for (let g = 0; g < tall; g++) {
        const cosine = g * 2 * half,
          sine = (tall + g) * 2 * half;
        for (let f = 0; f < half; f++) {
          write(
            g * half + f,
            number,
            both[cosine + f] + both[sine + half + f],
            both[cosine + half + f] - both[sine + f],
          );
        }
      }
    }
  };
}

/** Frequencies `(frequency, real | imaginary, count, filters)` → the places of the maps that are kept. */
function inverse(tall, wide, rows, columns, stride) {
  const half = (wide >> 1) + 1,
    frequencies = tall * half;
  // cosines above sines, (2 · rows, tall)
  const up = flat(...waves(tall, range(rows, 0, stride), range(tall)));
  // A frequency that was left out is the mirror image of one that was kept: those count twice.
  const share = (f) => (f === 0 || 2 * f === wide ? 1 : 2) / (tall * wide);
  const [cosBack, sinBack] = waves(wide, range(half), range(columns, 0, stride));
  const back = flat(
    cosBack.map((row, f) => row.map((value) => value * share(f))),
    sinBack.map((row, f) => row.map((value) => -value * share(f))),
  ); // (real | imaginary, columns)
  return (products, count, filters) => {
    const lines = new Float32Array(count * filters * rows * 2 * half);
    const one = new Float32Array(tall * 2 * half),
      both = new Float32Array(2 * rows * 2 * half);
    for (let number = 0; number < count * filters; number++) {
      for (let frequency = 0; frequency < frequencies; frequency++) {
        const from = frequency * 2 * count * filters + number,
          to = Math.floor(frequency / half) * half + frequency;
        one[to] = products[from];
        one[to + half] = products[from + count * filters];
      }
      matmul(up, one, 2 * rows, tall, 2 * half, both);
      for (let y = 0; y < rows; y++) {
        const cosine = y * 2 * half,
          sine = (rows + y) * 2 * half,
          to = (number * rows + y) * 2 * half;
        for (let f = 0; f < half; f++) {
          lines[to + f] = both[cosine + f] - both[sine + half + f];
          lines[to + half + f] = both[cosine + half + f] + both[sine + f];
        }
      }
    }
    return matmul(lines, back, count * filters * rows, 2 * half, columns);
  };
}
