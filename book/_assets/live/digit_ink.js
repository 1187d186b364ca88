// From strokes to what MNIST would have made of them: 28×28 grey values, fitted into a box of 20×20, centre
// of mass in the middle (LeCun et al. 1998). A stroke is a list of points [x, y] on a pad from 0 to 1;
// pixel i has its centre at i.

export const SIDE = 28;
const BOX = 20,
  MIDDLE = 14,
  RADIUS = 1.4,
  EDGE = 0.5; // half a pen's width, and the blur at its border: as much ink as MNIST has
const SMALLEST = 0.06; // of the pad: what is smaller than that, a dot, is not blown up

/** A drawing alone: `{image, place}`; pixel = place.scale · point + [place.x, place.y]. The pen has the
 *  same width whatever the size of the drawing: the strokes are fitted first and drawn then. */
export function fitted(strokes) {
  const points = strokes.flat();
  if (!points.length) return { image: new Float32Array(SIDE * SIDE), place: WHOLE };
  const [[left, right], [top, bottom]] = [0, 1].map((axis) => {
    const along = points.map((point) => point[axis]);
    return [Math.min(...along), Math.max(...along)];
  });
  const scale = (BOX - 2 * (RADIUS + EDGE)) / Math.max(right - left, bottom - top, SMALLEST);
  const place = { scale, x: MIDDLE - (scale * (left + right)) / 2, y: MIDDLE - (scale * (top + bottom)) / 2 };
  const centre = centreOfMass(ink(strokes, place));
  place.x += MIDDLE - centre.x;
  place.y += MIDDLE - centre.y;
  return { image: ink(strokes, place), place };
}

const WHOLE = { scale: SIDE, x: -0.5, y: -0.5 };

/** Strokes on top of a picture that fills the pad, where they are. */
export function added(strokes, picture) {
  const drawn = ink(strokes, WHOLE);
  return { image: picture.map((value, pixel) => Math.max(value, drawn[pixel])), place: WHOLE };
}

/** Grey values of strokes: 1 inside the pen's radius, falling to 0 across its edge. */
function ink(strokes, { scale, x, y }) {
  const image = new Float32Array(SIDE * SIDE),
    reach = RADIUS + EDGE;
  for (const stroke of strokes) {
    const points = stroke.map((point) => [scale * point[0] + x, scale * point[1] + y]);
    points.forEach((end, number) => {
      const start = points[Math.max(0, number - 1)];
      const [left, right, top, bottom] = [
        Math.min(start[0], end[0]) - reach,
        Math.max(start[0], end[0]) + reach,
        Math.min(start[1], end[1]) - reach,
        Math.max(start[1], end[1]) + reach,
      ];
      for (let row = Math.max(0, Math.ceil(top)); row <= Math.min(SIDE - 1, bottom); row++) {
        for (let column = Math.max(0, Math.ceil(left)); column <= Math.min(SIDE - 1, right); column++) {
          const covered = (reach - distance(column, row, start, end)) / (2 * EDGE),
            pixel = row * SIDE + column;
          image[pixel] = Math.max(image[pixel], Math.min(1, covered));
        }
      }
    });
  }
  return image;
}

/** From a pixel to the nearest point between `start` and `end`. */
function distance(x, y, [x0, y0], [x1, y1]) {
  const dx = x1 - x0,
    dy = y1 - y0,
    length = dx * dx + dy * dy;
  const share = length ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

function centreOfMass(image) {
  let mass = 0,
    x = 0,
    y = 0;
  image.forEach((value, pixel) => {
    mass += value;
    x += value * (pixel % SIDE);
    y += value * Math.floor(pixel / SIDE);
  });
  return { x: x / mass, y: y / mass };
}

/** The picture turned clockwise about its middle, then pushed by whole or broken pixels; values between
 * four pixels are mixed. */
export function moved(image, { right, down, degrees }) {
  if (!right && !down && !degrees) return image;
  const [a, b, c, d, e, f] = backwards({ right, down, degrees });
  return Float32Array.from(image, (_, pixel) => {
    const column = pixel % SIDE,
      row = Math.floor(pixel / SIDE);
    return between(image, a * column + c * row + e, b * column + d * row + f);
  });
}

/** Where a pixel of the moved picture came from, as a canvas takes a transform: x' = a·x + c·y + e, y' =
 * b·x + d·y + f. */
function backwards({ right, down, degrees }) {
  const angle = (degrees * Math.PI) / 180,
    cos = Math.cos(angle),
    sin = Math.sin(angle);
  const x = -MIDDLE - right,
    y = -MIDDLE - down;
  return [cos, -sin, sin, cos, MIDDLE + cos * x + sin * y, MIDDLE - sin * x + cos * y];
}

/** The same on to the pad, 0 to 1: a canvas with this transform shows a map of the moved picture over the
 * drawing. */
export function onPad(place, movement) {
  const [a, b, c, d, e, f] = backwards(movement);
  return [a, b, c, d, e - place.x, f - place.y].map((value) => value / place.scale);
}

function between(image, x, y) {
  const column = Math.floor(x),
    row = Math.floor(y),
    u = x - column,
    v = y - row;
  const at = (i, j) => (i < 0 || j < 0 || i >= SIDE || j >= SIDE ? 0 : image[j * SIDE + i]);
  return (
    (1 - v) * ((1 - u) * at(column, row) + u * at(column + 1, row)) +
    v * ((1 - u) * at(column, row + 1) + u * at(column + 1, row + 1))
  );
}
