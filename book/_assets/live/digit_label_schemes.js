// How a label enters an image. Picture and label are only ever added, a · picture + b · label: on that a
// network's first layer counts, which reads the picture once for all labels (see digit_forward_forward.js).

const SCHEMES = { pixels: pixelLabels, fourier: fourierLabels };

/** The scheme of a network's configuration: `{labels, prepare, mix, stretched}`.
 *  labels   one flat image for each class, and the neutral one last
 *  prepare  image → the picture to which a label is added
 *  mix      strength → [a, b]
 *  stretched  whether the sum is then stretched to [0, 1] */
export function labelScheme(config, height, width, classes) {
  const make = SCHEMES[config.label];
  if (!make) throw new Error(`this page knows no label scheme "${config.label}".`);
  return make(height, width, classes, config.labels ?? {});
}

/** One-hot label in the first pixels (Hinton 2022, Section 3.3); the neutral one is a tenth of each. */
function pixelLabels(height, width, classes) {
  const labels = Array.from({ length: classes + 1 }, (_, label) => {
    const image = new Float32Array(height * width);
    if (label < classes) image[label] = 1;
    else image.fill(1 / classes, 0, classes);
    return image;
  });
  const prepare = (image) => image.map((value, pixel) => (pixel < classes ? 0 : value));
  return { labels, prepare, mix: () => [1, 1], stretched: false };
}

/** A wave over the whole image for each class (FF-CNN, Section 2.1), laid over it with strength K. */
function fourierLabels(height, width, classes, { set = 1 }) {
  const modes = set === 1 ? slowWaves(height, width, classes) : turnedWaves(height, width, classes);
  const labels = modes.map(([down, right, phase]) =>
    Float32Array.from({ length: height * width }, (_, pixel) => {
      const cycles = (down * Math.floor(pixel / width)) / height + (right * (pixel % width)) / width;
      return (1 + Math.cos(2 * Math.PI * cycles - (phase * Math.PI) / 2)) / 2;
    }),
  );
  const mean = new Float32Array(height * width).map(
    (_, pixel) => labels.reduce((sum, one) => sum + one[pixel], 0) / classes,
  );
  return {
    labels: [...labels, mean],
    prepare: (image) => image,
    mix: (strength) => [1 - strength, strength],
    stretched: true,
  };
}

/** Set 1: four orientations at 1, 2, 3, … cycles per image; then the same a quarter turn later. */
function slowWaves(height, width, classes) {
  const found = [],
    nyquist = Math.floor(Math.min(height, width) / 2);
  for (let phase = 0; phase < 4; phase++) {
    for (let cycles = 1; cycles < nyquist; cycles++) {
      for (const [y, x] of [
        [0, 1],
        [1, 1],
        [1, 0],
        [1, -1],
      ])
        found.push([cycles * y, cycles * x, phase]);
    }
  }
  return found.slice(0, classes);
}

/** Set 2: one frequency, the lowest at which so many equidistant angles are different waves. */
function turnedWaves(height, width, classes) {
  for (let cycles = 1; cycles < Math.min(height, width) / 2; cycles++) {
    const ring = Array.from({ length: classes }, (_, label) => {
      const angle = (Math.PI * label) / classes;
      return [Math.round(cycles * Math.sin(angle)), Math.round(cycles * Math.cos(angle)), 0];
    });
    if (new Set(ring.map(String)).size === classes) return ring;
  }
  throw new Error(`images of ${height}×${width} pixels have no room for ${classes} waves of set 2.`);
}
