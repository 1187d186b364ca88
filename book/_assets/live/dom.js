// Making elements: make("button", {type: "button"}, "Play").

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The same for a part of an SVG. */
export function shape(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A canvas of so many dots, with words for those who do not see it. */
export const canvas = (className, width, height, label) =>
  make("canvas", {
    class: className,
    width,
    height,
    ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }),
  });

export const percent = (share) => (Number.isNaN(share) ? "–" : `${Math.round(100 * share)} %`);

/** Give an element this text. The same text again would cost the page a layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
