// Small pieces of a page.

/** An element with attributes and children; `on…` attributes are listeners, false and null leave one out.
/** */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A slider with its name and its value beside it; `change(value)` is called while it moves. */
export function slider(name, { low, high, step, value, say = String }, change) {
  const told = el("output", {}, say(value));
  const input = el("input", {
    type: "range",
    min: low,
    max: high,
    step,
    value,
    "aria-valuetext": say(value),
    oninput: () => {
      set(Number(input.value));
      change(Number(input.value));
    },
  });
  function set(now) {
    input.value = now;
    told.textContent = say(now);
    input.setAttribute("aria-valuetext", say(now));
  }
  const row = el("label", { class: "digit-slider" }, el("span", {}, name), input, told);
  return { row, set };
}

/** Paint grey values 0 … 1 on a canvas of `side`×`side` pixels, white on black as MNIST has them. */
export function paintGrey(canvas, values, side) {
  const pixels = new ImageData(side, side);
  values.forEach((value, i) => pixels.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** A map as a picture: values above 0 in one colour, below in the other, the stronger the less transparent.
 * */
export function mapPicture(map, side, above, below) {
  const most = Math.max(...map.map(Math.abs)) || 1,
    pixels = new ImageData(side, side);
  map.forEach((value, i) =>
    pixels.data.set([...(value > 0 ? above : below), 235 * Math.sqrt(Math.abs(value) / most)], 4 * i),
  );
  const canvas = el("canvas", { width: side, height: side });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Red, green and blue of a colour written #rrggbb. */
export function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
