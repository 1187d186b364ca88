// The pad: strokes by mouse, finger or pen, or with the arrow keys. It knows strokes and shows them; what
// they mean is nothing to it.

import { el } from "./digit_elements.js";
import { SIDE } from "./digit_ink.js";

const SIZE = 560,
  PEN = 0.065,
  STEP = 1 / 28; // of the canvas; a pen's width and a key's step in parts of it
const HELP =
  "Drawing pad. Draw with the mouse, a finger or a pen. With the keyboard: arrow keys move the pen, the space bar " +
  "sets it down and lifts it, Backspace takes a stroke back, Delete clears.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A pad that calls `began()` before a stroke of the reader's, and `changed(done)` whenever there is more
 *  or less ink; `done` when a pen was lifted. `look()` gives its colours `{ink, mark}`. */
export function makePad({ began, changed, look }) {
  const canvas = el("canvas", {
    class: "digit-pad",
    width: SIZE,
    height: SIZE,
    tabindex: 0,
    role: "application",
    "aria-label": HELP,
  });
  const paper = canvas.getContext("2d");
  const pad = { canvas, strokes: [], picture: null, overlay: null, paint, undo, clear, show };
  let stroke = null,
    cursor = [0.5, 0.25],
    byKeys = false,
    pointer = null;

  function paint() {
    const { ink, mark } = look();
    paper.setTransform(SIZE, 0, 0, SIZE, 0, 0);
    paper.clearRect(0, 0, 1, 1);
    if (pad.picture) drawPicture(ink);
    Object.assign(paper, { strokeStyle: ink, lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    for (const points of pad.strokes) {
      paper.beginPath();
      points.forEach(([x, y], i) => (i ? paper.lineTo(x, y) : paper.moveTo(x, y)));
      if (points.length === 1) paper.lineTo(points[0][0] + 1e-4, points[0][1]);
      paper.stroke();
    }
    if (pad.overlay) drawOverlay(pad.overlay);
    if (byKeys && document.activeElement === canvas) {
      paper.setTransform(SIZE, 0, 0, SIZE, 0, 0);
      Object.assign(paper, { strokeStyle: mark, fillStyle: mark, lineWidth: 0.008 });
      paper.beginPath();
      paper.arc(...cursor, 0.03, 0, 2 * Math.PI);
      if (stroke) paper.fill();
      else paper.stroke();
    }
  }

  function drawPicture(ink) {
    paper.fillStyle = ink;
    pad.picture.forEach((value, pixel) => {
      paper.globalAlpha = value;
      if (value)
        paper.fillRect((pixel % SIDE) / SIDE, Math.floor(pixel / SIDE) / SIDE, 1.02 / SIDE, 1.02 / SIDE);
    });
    paper.globalAlpha = 1;
  }

  function drawOverlay({ image, transform }) {
    paper.transform(...transform);
    paper.drawImage(image, -0.5, -0.5, SIDE, SIDE); // pixel i has its centre at i
  }

  function begin(point) {
    began();
    stroke = [point];
    pad.strokes.push(stroke);
    change(false);
  }

  function extend(point) {
    const [x, y] = stroke.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) < 0.004) return;
    stroke.push(point);
    change(false);
  }

  function end() {
    pointer = null; // also of a stroke that was taken back while it was drawn
    if (!stroke) return;
    stroke = null;
    change(true);
  }

  function change(done) {
    paint();
    changed(done);
  }

  function undo() {
    stroke = null;
    if (pad.strokes.length) pad.strokes.pop();
    else pad.picture = null;
    change(true);
  }

  function clear() {
    show([]);
  }

  /** Other strokes, on a picture or on empty paper. */
  function show(strokes, picture = null) {
    stroke = null;
    Object.assign(pad, { strokes, picture, overlay: null });
    change(true);
  }

  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((share) =>
      Math.min(1, Math.max(0, share)),
    );
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button) return;
    pointer = event.pointerId;
    byKeys = false;
    canvas.setPointerCapture(pointer);
    begin(where(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer || !stroke) return;
    const all = event.getCoalescedEvents?.() ?? [];
    (all.length ? all : [event]).forEach((one) => stroke && extend(where(one)));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => event.pointerId === pointer && end());
  }
  canvas.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      !(arrow || [" ", "Backspace", "Delete"].includes(event.key))
    )
      return;
    event.preventDefault();
    byKeys = true;
    if (arrow) {
      cursor = cursor.map((value, axis) => Math.min(1, Math.max(0, value + STEP * arrow[axis])));
      if (stroke) extend(cursor);
    } else if (event.key === " ") {
      if (stroke) end();
      else begin(cursor);
    } else if (event.key === "Backspace") undo();
    else clear();
    paint();
  });
  canvas.addEventListener("focus", () => {
    byKeys = canvas.matches(":focus-visible");
    paint();
  });
  canvas.addEventListener("blur", () => (stroke && pointer === null ? end() : paint()));
  return pad;
}
