// Painting points on the maps: with a mouse, a finger or a pen, or with arrow keys and the space bar.
import { make } from "./dom.js";

const APART = 0.07; // between painted points, and the reach of the eraser

export class Brush {
  /** `edit(points)` is called with the new points; `points()` gives those there are. */
  constructor(points, edit) {
    Object.assign(this, { points, edit, on: false, spots: [] });
    this.kind = make(
      "select",
      { name: "brush" },
      ...["orange", "blue", "eraser"].map((word, value) => make("option", { value }, word)),
    );
    this.element = make(
      "div",
      { class: "brush", hidden: true },
      make("label", {}, make("span", {}, "Brush"), this.kind),
      make(
        "button",
        { type: "button", onclick: () => this.edit({ x: new Float64Array(0), y: new Uint8Array(0), n: 0 }) },
        "Clear",
      ),
      make(
        "p",
        {},
        "Paint on any of the large maps; or put the focus on it, move with the arrow keys and press Space.",
      ),
    );
  }

  /** Make a square on which the answer is drawn paintable. */
  listen(square) {
    const cross = make("span", { class: "cross", hidden: true });
    let place = [0, 0];
    square.append(cross);
    const at = ({ clientX, clientY }) => {
      const { left, top, width } = square.getBoundingClientRect();
      return [(2 * (clientX - left)) / width - 1, 1 - (2 * (clientY - top)) / width];
    };
    let last = null;
    square.addEventListener("pointerdown", (event) => {
      if (!this.on) return;
      square.setPointerCapture(event.pointerId);
      this.dab((last = at(event)));
    });
    square.addEventListener("pointermove", (event) => {
      if (!this.on || !square.hasPointerCapture(event.pointerId)) return;
      const now = at(event);
      if (Math.hypot(now[0] - last[0], now[1] - last[1]) > APART) this.dab((last = now));
    });
    square.addEventListener("keydown", (event) => {
      const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
        event.key
      ] ?? [0, 0];
      if (!this.on || (!right && !up && event.key !== " ")) return;
      event.preventDefault();
      place = [
        Math.max(-1, Math.min(1, place[0] + right * APART)),
        Math.max(-1, Math.min(1, place[1] + up * APART)),
      ];
      cross.hidden = false;
      cross.style.left = `${50 * (place[0] + 1)}%`;
      cross.style.top = `${50 * (1 - place[1])}%`;
      if (event.key === " ") this.dab(place);
    });
    square.addEventListener("blur", () => {
      cross.hidden = true;
    });
    this.spots.push(square);
  }

  /** Switch painting on or off. */
  show(on) {
    this.on = on;
    this.element.hidden = !on;
    for (const square of this.spots) {
      square.classList.toggle("paintable", on);
      if (on) square.tabIndex = 0;
      else square.removeAttribute("tabindex");
      square.setAttribute("role", on ? "application" : "presentation");
      if (on) square.setAttribute("aria-label", "A board to paint points on: arrow keys move, Space paints");
      else square.removeAttribute("aria-label");
    }
  }

  /** One point more where the brush is, or none within the eraser's reach. */
  dab([right, up]) {
    if (Math.abs(right) > 1 || Math.abs(up) > 1) return;
    const kind = Number(this.kind.value);
    const { x, y, n } = this.points();
    const keep = Array.from({ length: n }, (_, s) => s).filter(
      (s) => kind < 2 || Math.hypot(x[2 * s] - right, x[2 * s + 1] - up) > APART,
    );
    const places = keep.flatMap((s) => [x[2 * s], x[2 * s + 1]]);
    const classes = keep.map((s) => y[s]);
    if (kind < 2) {
      places.push(right, up);
      classes.push(kind);
    }
    this.edit({ x: Float64Array.from(places), y: Uint8Array.from(classes), n: classes.length });
  }
}
