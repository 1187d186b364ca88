// Points of the plane in two classes. Everything lies in the square from −1 to 1; half of the points are of
// each class.
import { generator, normal } from "./random.js";

/** A shape takes a class (0 or 1), a number t in [0, 1) and the generator, and gives a place [x, y]. */
const SHAPES = {
  blobs: (label, t, random) => [
    0.45 * (2 * label - 1) + 0.16 * normal(random),
    0.45 * (2 * label - 1) + 0.16 * normal(random),
  ],
  ring: (label, t, random) => {
    const radius = label ? 0.4 * Math.sqrt(random()) : 0.65 + 0.2 * random();
    return [radius * Math.cos(2 * Math.PI * t), radius * Math.sin(2 * Math.PI * t)];
  },
  xor: (label, t, random) => {
    const right = t < 0.5 ? 1 : -1;
    const up = label ? right : -right;
    return [right * (0.08 + 0.77 * random()), up * (0.08 + 0.77 * random())];
  },
  moons: (label, t) => {
    const angle = Math.PI * t;
    return label
      ? [0.55 * Math.cos(angle) - 0.27, 0.55 * Math.sin(angle) - 0.12]
      : [0.27 - 0.55 * Math.cos(angle), 0.12 - 0.55 * Math.sin(angle)];
  },
  spiral: (label, t) => {
    const radius = 0.08 + 0.8 * t;
    const angle = 3.2 * t * Math.PI * 0.9 + label * Math.PI;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
};

export const DATA = Object.keys(SHAPES);

/** `count` points: {x: Float64Array (count × 2), y: Uint8Array of classes, n: count}. `noise` is a standard
 *  deviation. */
export function makePoints(name, { count = 200, noise = 0.03, seed = 1 } = {}) {
  const random = generator(1000 + seed);
  const x = new Float64Array(2 * count);
  const y = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = i % 2;
    const place = SHAPES[name](y[i], (i >> 1) / (count >> 1), random);
    for (const axis of [0, 1]) x[2 * i + axis] = place[axis] + noise * normal(random);
  }
  return { x, y, n: count };
}

/** The middles of `side` × `side` squares of the plane, row by row from the top left: {x, n, side}. */
export function makeGrid(side) {
  const x = new Float64Array(2 * side * side);
  for (let i = 0; i < side * side; i++) {
    x[2 * i] = (2 * (i % side) + 1) / side - 1;
    x[2 * i + 1] = 1 - (2 * Math.floor(i / side) + 1) / side;
  }
  return { x, n: side * side, side };
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Painted points as text for the address: three letters each, a place on a 64 × 64 board and a class. */
export function writePoints({ x, y, n }) {
  const letter = (value) => LETTERS[Math.max(0, Math.min(63, Math.round((value + 1) * 31.5)))];
  return Array.from({ length: n }, (_, i) => letter(x[2 * i]) + letter(x[2 * i + 1]) + y[i]).join("");
}

/** The points that such a text names. Throws an Error for a text that `writePoints` does not write. */
export function readPoints(text) {
  if (!/^([\w-]{2}[01])*$/.test(text))
    throw new Error("the address has painted points in a form that nobody paints.");
  const n = text.length / 3;
  const x = new Float64Array(2 * n);
  const y = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    for (const axis of [0, 1]) x[2 * i + axis] = LETTERS.indexOf(text[3 * i + axis]) / 31.5 - 1;
    y[i] = Number(text[3 * i + 2]);
  }
  return { x, y, n };
}
