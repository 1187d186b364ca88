// Pictures: values on a grid of the plane become colours, dots and bars.
import { colour } from "./loader.js";
import { sigmoid } from "./layer.js";

/** The colours of the theme in which an element is shown, as [red, green, blue]. */
export function palette(element) {
  const read = (name) => {
    const hex = parseInt(colour(element, `--live-${name}`).slice(1), 16);
    return [hex >> 16, (hex >> 8) & 255, hex & 255];
  };
  const names = ["zero", "one", "positive", "negative", "ground", "line", "soft"];
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

export const css = ([r, g, b], alpha = 1) => `rgba(${r}, ${g}, ${b}, ${alpha})`;

/** Which class wins where: scores (n × 2) on the grid; `softness` is the difference at which a colour is three quarters full. */
export function paintDecision(canvas, scores, softness, colours) {
  paint(canvas, (put) => {
    for (let p = 0; p < scores.length / 2; p++) {
      const lean = 2 * sigmoid((scores[2 * p + 1] - scores[2 * p]) / softness) - 1;
      put(p, colours.ground, lean < 0 ? colours.zero : colours.one, 0.08 + 0.72 * Math.abs(lean));
    }
  });
}

/** How high the score of one label is on the grid: half colour at the threshold. */
export function paintGoodness(canvas, scores, label, softness, colours) {
  const full = label ? colours.one : colours.zero;
  paint(canvas, (put) => {
    for (let p = 0; p < scores.length / 2; p++) put(p, colours.ground, full, 0.9 * sigmoid(scores[2 * p + label] / softness));
  });
}

/** Fill a square canvas of one dot for each place of the grid. */
function paint(canvas, each) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  each((p, from, to, share) => mix(image.data, 4 * p, from, to, share));
  context.putImageData(image, 0, 0);
}

function mix(data, at, from, to, share) {
  for (let c = 0; c < 3; c++) data[at + c] = from[c] + (to[c] - from[c]) * share;
  data[at + 3] = 255;
}

/** Where each unit is active, a small square each, eight in a row. Under two labels (Forward-Forward) the square is tinted
 *  with the label's colour; else with that of the class for which the unit speaks (its vote). */
export function paintUnits(canvas, { activations, units, votes }, side, colours) {
  const across = Math.min(units, 8), gap = 3, step = side + gap;
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height), { data } = image;
  const [first, second] = activations, { ground, zero, one } = colours;
  for (let u = 0; u < units; u++) {
    let most = 1e-6;
    for (const a of activations) for (let i = u; i < a.length; i += units) if (a[i] > most) most = a[i];
    const left = (u % across) * step, top = Math.floor(u / across) * step;
    const tint = votes && (votes[u] > 0 ? one : zero);
    for (let p = 0; p < side * side; p++) {
      const at = 4 * ((top + Math.floor(p / side)) * canvas.width + left + (p % side)), a = first[p * units + u] / most;
      if (votes) {
        mix(data, at, ground, tint, 0.9 * a);
      } else {
        const b = second[p * units + u] / most, sum = a + b;
        for (let c = 0; c < 3; c++) {
          const both = sum ? (a * zero[c] + b * one[c]) / sum : 0;
          data[at + c] = ground[c] + (both - ground[c]) * 0.9 * Math.max(a, b);
        }
        data[at + 3] = 255;
      }
    }
  }
  context.putImageData(image, 0, 0);
}

/** Dots and gaps of the canvas that `paintUnits` fills. */
export function unitsSize(units, side) {
  const across = Math.min(units, 8), rows = Math.ceil(units / 8);
  return [across * (side + 3) - 3, rows * (side + 3) - 3];
}

/** The points, filled where their class is `label` (or for both, if none is given), hollow where it is not. */
export function paintPoints(canvas, { x, y, n }, colours, { label, size = 7 } = {}) {
  const context = canvas.getContext("2d"), { width } = canvas;
  context.clearRect(0, 0, width, width);
  for (let s = 0; s < n; s++) {
    const filled = label === undefined || y[s] === label;
    context.beginPath();
    context.arc((x[2 * s] + 1) / 2 * width, (1 - x[2 * s + 1]) / 2 * width, size, 0, 2 * Math.PI);
    if (filled) {
      context.fillStyle = css(y[s] ? colours.one : colours.zero);
      context.fill();
    }
    context.lineWidth = size / 3.5;
    context.strokeStyle = filled ? css(colours.ground) : css(colours.soft, 0.7);
    context.stroke();
  }
}

/** Two distributions over `from … to` as bars, one over the other, and a line at `line`. What lies outside is in the last bar.
 *  Each has its own scale, unless they are parts of one whole (`together`). */
export function paintHistogram(canvas, [above, below], { from, to, line, together = false }, colours, bins = 26) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const counts = [above, below].map((values) => {
    const found = new Float64Array(bins);
    for (const value of values) found[Math.max(0, Math.min(bins - 1, Math.floor((value - from) / (to - from) * bins)))] += 1;
    return found;
  });
  const own = counts.map((found) => Math.max(1, ...found)), most = Math.max(...own), wide = width / bins;
  counts.forEach((found, kind) => {
    context.fillStyle = css(kind ? colours.negative : colours.positive, 0.65);
    found.forEach((count, bin) => {
      const high = Math.sqrt(count / (together ? most : own[kind])) * (height - 6); // the root, so that a few stragglers are seen
      context.fillRect(bin * wide + 0.5, height - high, wide - 1, high);
    });
  });
  context.fillStyle = css(colours.soft);
  context.fillRect((line - from) / (to - from) * width - 1, 0, 2, height);
  context.fillRect(0, height - 1.5, width, 1.5);
}
