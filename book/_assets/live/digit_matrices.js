// The arithmetic that all layers share, on flat Float32Arrays: samples one after the other, rows within a
// sample.

/** out = a · b for a `(rows, inner)` and b `(inner, columns)`; returns out `(rows, columns)`. Two rows
 *  times four columns at once: each number that is read is used several times, which is where the speed is.
 *  */
export function matmul(a, b, rows, inner, columns, out = new Float32Array(rows * columns)) {
  if (columns < 4) return plainMatmul(a, b, rows, inner, columns, out);
  for (let row = 0; row < rows; row += 2) {
    const p = row * inner,
      q = Math.min(row + 1, rows - 1) * inner; // an odd last row is computed twice
    const above = row * columns,
      below = (q / inner) * columns;
    for (let next = 0; next < columns; next += 4) {
      const column = Math.min(next, columns - 4); // so are the columns that four does not divide
      let s0 = 0,
        s1 = 0,
        s2 = 0,
        s3 = 0,
        t0 = 0,
        t1 = 0,
        t2 = 0,
        t3 = 0;
      for (let k = 0, at = column; k < inner; k++, at += columns) {
        const x = a[p + k],
          y = a[q + k],
          b0 = b[at],
          b1 = b[at + 1],
          b2 = b[at + 2],
          b3 = b[at + 3];
        s0 += x * b0;
        s1 += x * b1;
        s2 += x * b2;
        s3 += x * b3;
        t0 += y * b0;
        t1 += y * b1;
        t2 += y * b2;
        t3 += y * b3;
      }
      const o = above + column,
        u = below + column;
      out[o] = s0;
      out[o + 1] = s1;
      out[o + 2] = s2;
      out[o + 3] = s3;
      out[u] = t0;
      out[u + 1] = t1;
      out[u + 2] = t2;
      out[u + 3] = t3;
    }
  }
  return out;
}

function plainMatmul(a, b, rows, inner, columns, out) {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += a[row * inner + k] * b[k * columns + column];
      out[row * columns + column] = sum;
    }
  }
  return out;
}

/** `(rows, columns)` → `(columns, rows)`. */
export function transpose(a, rows, columns) {
  const out = new Float32Array(a.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = a[row * columns + column];
  }
  return out;
}

/** Mean and 1 / standard deviation of one sample's numbers, as PyTorch's layer norm takes them (ε = 1e-5).
/** */
export function moments(x) {
  let sum = 0,
    squares = 0;
  for (const value of x) sum += value;
  const mean = sum / x.length;
  for (const value of x) squares += (value - mean) ** 2;
  return { mean, inverse: 1 / Math.sqrt(squares / x.length + 1e-5) };
}

/** Each of `count` samples shifted to mean 0 and scaled to variance 1 (Ba et al. 2016, without gain and
 * bias). */
export function layerNorm(x, count) {
  const out = new Float32Array(x.length),
    size = x.length / count;
  for (let n = 0; n < count; n++) {
    const from = n * size,
      { mean, inverse } = moments(x.subarray(from, from + size));
    for (let i = from; i < from + size; i++) out[i] = (x[i] - mean) * inverse;
  }
  return out;
}

/** Shares that add up to 1, in proportion to exp(scores). */
export function softmax(scores) {
  const top = Math.max(...scores),
    powers = Array.from(scores, (score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The numbers' order, largest first: the winner is the first one. */
export function ranking(scores) {
  return Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
}
