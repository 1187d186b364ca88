// Pictures: values on a grid of the plane become colours and bars.
import { colour } from "./loader.js";
import { sigmoid } from "./layer.js";

/** The colours of the theme in which an element is shown, as [red, green, blue], and ramps of dots made of
 *  them. */
export function palette(element) {
  const read = (name) => {
    const hex = parseInt(colour(element, `--live-${name}`).slice(1), 16);
    return [hex >> 16, (hex >> 8) & 255, hex & 255];
  };
  const names = ["zero", "one", "positive", "negative", "ground", "line", "soft"];
  const colours = Object.fromEntries(names.map((name) => [name, read(name)]));
  const { ground, zero, one } = colours;
  const ramp = (to) =>
    Uint32Array.from({ length: LEVELS }, (_, i) => dot(blend(ground, to, (0.9 * i) / (LEVELS - 1))));
  const both = Uint32Array.from({ length: LEVELS * LEVELS }, (_, i) => {
    const a = Math.floor(i / LEVELS);
    const b = i % LEVELS;
    return dot(
      blend(ground, blend(zero, one, b / Math.max(1, a + b)), (0.9 * Math.max(a, b)) / (LEVELS - 1)),
    );
  });
  return { ...colours, ramps: [ramp(zero), ramp(one)], both };
}

const LEVELS = 64; // shades in a ramp
const level = (share) => Math.round(share * (LEVELS - 1));
const blend = (from, to, share) => from.map((value, c) => value + (to[c] - value) * share);
const dot = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r; // red first in memory

export const css = ([r, g, b], alpha = 1) => `rgba(${r}, ${g}, ${b}, ${alpha})`;

const pictures = new WeakMap(); // what each canvas was given last, used again in the next frame

/** Fill a canvas of width × height dots: `each` gets them, row by row. */
function paint(canvas, [width, height], each) {
  const context = canvas.getContext("2d");
  if (pictures.get(canvas)?.image.width !== width) {
    Object.assign(canvas, { width, height });
    const image = context.createImageData(width, height);
    pictures.set(canvas, { image, dots: new Uint32Array(image.data.buffer) });
  }
  const { image, dots } = pictures.get(canvas);
  each(dots);
  context.putImageData(image, 0, 0);
}

/** Width and height of a map of the plane, from its scores on the grid (n × 2). */
function mapSize(scores) {
  const side = Math.sqrt(scores.length / 2);
  return [side, side];
}

/** Which class wins where: scores (n × 2) on the grid; `softness` is the difference at which a colour is
 *  nearly half full. */
export function paintDecision(canvas, scores, softness, { ramps }) {
  paint(canvas, mapSize(scores), (dots) =>
    dots.forEach((_, p) => {
      const lean = 2 * sigmoid((scores[2 * p + 1] - scores[2 * p]) / softness) - 1;
      dots[p] = ramps[lean > 0 ? 1 : 0][level(0.1 + 0.8 * Math.abs(lean))];
    }),
  );
}

/** How high the score of one label is on the grid: half colour at the threshold. */
export function paintGoodness(canvas, scores, label, softness, { ramps }) {
  paint(canvas, mapSize(scores), (dots) =>
    dots.forEach((_, p) => {
      dots[p] = ramps[label][level(sigmoid(scores[2 * p + label] / softness))];
    }),
  );
}

/** Where each unit is active, a small square each, eight in a row. Under two labels (Forward-Forward) the
 *  square is tinted with the label's colour; else with that of the class for which the unit speaks (its
 *  vote). */
export function paintUnits(canvas, { activations, units, votes }, side, { ramps, both }) {
  const across = Math.min(units, 8);
  const [width, height] = unitsSize(units, side);
  const step = side + gap(side);
  const [first, second] = activations;
  paint(canvas, [width, height], (dots) => {
    for (let u = 0; u < units; u++) {
      let most = 1e-6;
      for (const a of activations) for (let i = u; i < a.length; i += units) if (a[i] > most) most = a[i];
      const corner = Math.floor(u / across) * step * width + (u % across) * step;
      const scale = (LEVELS - 1) / most;
      const ramp = votes && ramps[votes[u] > 0 ? 1 : 0];
      for (let p = 0; p < side * side; p++) {
        const at = corner + Math.floor(p / side) * width + (p % side);
        const i = p * units + u;
        dots[at] = ramp
          ? ramp[Math.round(first[i] * scale)]
          : both[Math.round(first[i] * scale) * LEVELS + Math.round(second[i] * scale)];
      }
    }
  });
}

const gap = (side) => side / 8; // dots between two units: the picture keeps its shape on every grid

/** Dots and gaps of the canvas that `paintUnits` fills. */
export function unitsSize(units, side) {
  const across = Math.min(units, 8);
  const rows = Math.ceil(units / 8);
  return [across, rows].map((count) => count * (side + gap(side)) - gap(side));
}

/** Two distributions over `from … to` as bars, one over the other, and a line at `line`. What lies outside
 *  is in the last bar. Each has its own scale, unless they are parts of one whole (`together`). */
export function paintHistogram(
  canvas,
  [above, below],
  { from, to, line, together = false },
  colours,
  bins = 26,
) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const counts = [above, below].map((values) => {
    const found = new Float64Array(bins);
    for (const value of values)
      found[Math.max(0, Math.min(bins - 1, Math.floor(((value - from) / (to - from)) * bins)))] += 1;
    return found;
  });
  const own = counts.map((found) => Math.max(1, ...found));
  const most = Math.max(...own);
  const wide = width / bins;
  counts.forEach((found, kind) => {
    context.fillStyle = css(kind ? colours.negative : colours.positive, 0.65);
    found.forEach((count, bin) => {
      const high = Math.sqrt(count / (together ? most : own[kind])) * (height - 6); // stragglers are seen
      context.fillRect(bin * wide + 0.5, height - high, wide - 1, high);
    });
  });
  context.fillStyle = css(colours.soft);
  context.fillRect(((line - from) / (to - from)) * width - 1, 0, 2, height);
  context.fillRect(0, height - 1.5, width, 1.5);
}
