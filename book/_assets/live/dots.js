// The points over a map: a drawing of its own, which costs a frame nothing while the points stay.
import { shape } from "./dom.js";

/** An empty drawing for points. */
export function dotsPicture() {
  const kinds = ["zero", "one", "hollow"].map((kind) => shape("path", { class: kind }));
  return shape("svg", { class: "dots", viewBox: "-1 -1 2 2", "aria-hidden": "true" }, ...kinds);
}

/** Draw the points, filled where their class is `label` (or for both, if none is given), hollow where it is
 *  not. */
export function showDots(picture, { x, y, n }, { label, radius = 0.03 } = {}) {
  const circles = ["", "", ""];
  for (let s = 0; s < n; s++) {
    const kind = label === undefined || y[s] === label ? y[s] : 2;
    const [left, middle] = [x[2 * s] - radius, -x[2 * s + 1]].map((place) => place.toFixed(3));
    const half = `a${radius} ${radius} 0 1 0 `;
    circles[kind] += `M${left} ${middle}${half}${2 * radius} 0${half}${-2 * radius} 0`;
  }
  circles.forEach((circle, kind) => picture.children[kind].setAttribute("d", circle));
  picture.setAttribute("stroke-width", radius / 3.5);
}
