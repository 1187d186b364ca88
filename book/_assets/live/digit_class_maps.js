// Class activation maps: which places of the image speak for a label (Zhou et al. 2016; FF-CNN, Section
// 3.3).

import { matmul } from "./digit_matrices.js";

/** `onImage(block, map)`: a block's map `(rows, columns)` brought onto the image, `(height, width)`. A
 *  place is at the centre of the window that it looks at; between centres one interpolates, far from all is
 *  0. */
export function mapsOnto(height, width, blocks) {
  const tents = blocks.map(
    ({ window, shape: [, rows, columns] }) =>
      window && {
        rows,
        columns,
        down: tent(window, rows, height, true),
        across: tent(window, columns, width, false),
      },
  );
  return (number, map) => {
    const { rows, columns, down, across } = tents[number];
    return matmul(matmul(down, map, height, rows, columns), across, height, columns, width);
  };
}

/** Linear interpolation as a matrix: weight 1 at a place's centre, falling to 0 at its neighbours'. */
function tent({ start, step }, places, pixels, pixelsFirst) {
  return Float32Array.from({ length: places * pixels }, (_, at) => {
    const pixel = pixelsFirst ? Math.floor(at / places) : at % pixels;
    const place = pixelsFirst ? at % places : Math.floor(at / pixels);
    return Math.max(0, 1 - Math.abs(pixel - start - step * place) / step);
  });
}

/** What each place adds to one label's logit: features `(channels, places)` times the classifier's weights,
 * over channels. */
export function contributions(features, weights, channels) {
  const places = features.length / channels,
    map = new Float32Array(places);
  for (let i = 0; i < features.length; i++) map[i % places] += features[i] * weights[i];
  return map;
}

/** What each place adds to the goodness: squares of `(channels, places)`, over channels. */
export function squares(activations, channels) {
  return contributions(activations, activations, channels);
}
