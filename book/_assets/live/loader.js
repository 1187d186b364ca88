// What every page that computes needs: a place on the page, files fetched when they are wanted, workers, the
// theme.
//
// tools/live.py writes each entry module and all it imports as one classic script, because browsers refuse
// modules, fetch() and worker files in a page opened from a folder. BUNDLE is the text of that script.

/** True inside a worker, which runs the same script as the page. */
export const inWorker = typeof document === "undefined";

// The folder of this script, from which networks are fetched.
const here = inWorker ? "" : new URL(".", document.currentScript?.src ?? document.baseURI).href;

/** Give every <div data-live="name"> to `mount(element, options)`; options are its data attributes, all
 *  strings. What goes wrong is said on the page, in the place of what would have been there. */
export function mountAll(name, mount) {
  if (inWorker) return;
  const begin = () =>
    document.querySelectorAll(`[data-live="${name}"]`).forEach(async (element) => {
      try {
        await mount(element, { ...element.dataset });
      } catch (error) {
        say(element, error);
      }
    });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
}

/** Put one sentence into an element: what failed. */
export function say(element, error) {
  const sentence = document.createElement("p");
  sentence.className = "live-failed";
  sentence.setAttribute("role", "alert");
  sentence.textContent = `This part of the page cannot run: ${error.message}`;
  element.replaceChildren(sentence);
}

/** A worker that runs this very script; in it `inWorker` is true. */
export function startWorker() {
  const address = URL.createObjectURL(new Blob([BUNDLE], { type: "text/javascript" }));
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}

/** Load a classic script from the folder of live pages, and return what it left:
 *  loadScript("shelf", () => globalThis.liveShelf). A script cut short leaves nothing. It is fetched anew each
 *  time, so that what failed can be tried again. */
export function loadScript(name, left) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const fail = (what) => reject(new Error(`the file ${name}.js ${what}.`));
    script.src = `${here}${name}.js`;
    script.onerror = () => fail("did not arrive");
    script.onload = () => {
      script.remove();
      const found = left();
      if (found) resolve(found);
      else fail("is damaged");
    };
    document.head.append(script);
  });
}

/** A network's weights, packed by `pack` of tools/live.py; `unpack` checks them. */
export async function loadNetwork(name) {
  const packed = await loadScript(`networks/${name}`, () => globalThis.liveNetworks?.[name]);
  delete globalThis.liveNetworks[name];
  return packed;
}

/** A packed network, checked and decoded: {about, tensors: {name: {shape, data: Float32Array}}}. Throws an Error
 *  that says what is wrong: bytes, sum, dtype, or shapes that do not use up every number. */
export function unpack(name, packed) {
  const fail = (what) => {
    throw new Error(`the weights of ${name} are damaged (${what}).`);
  };
  if (!packed?.about || !packed.base64 || !Array.isArray(packed.tensors)) fail("nothing in it");
  let bytes;
  try {
    const letters = atob(packed.base64);
    bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  } catch {
    fail("not base64");
  }
  if (bytes.length !== packed.bytes) fail(`${bytes.length} bytes, ${packed.bytes} expected`);
  if (crc32(bytes) !== packed.crc32) fail("the sum does not agree");
  const all =
    { float16: halves, float32: (raw) => new Float32Array(raw.buffer) }[packed.dtype]?.(bytes) ??
    fail(`dtype ${packed.dtype}`);
  const tensors = {};
  let used = 0;
  for (const { name: key, shape } of packed.tensors) {
    const size = shape.reduce((product, side) => product * side, 1);
    tensors[key] = { shape, data: all.slice(used, used + size) };
    used += size;
  }
  if (used !== all.length) fail(`${all.length} numbers, the shapes need ${used}`);
  return { about: packed.about, tensors };
}

// What one byte does to the sum, for each of the 256 bytes.
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = (byte >>> 1) ^ (byte & 1 ? 0xedb88320 : 0);
  return byte;
});

/** The usual 32-bit cyclic redundancy check, as zlib computes it. */
export function crc32(bytes) {
  let sum = ~0;
  for (let i = 0; i < bytes.length; i++) sum = (sum >>> 8) ^ CRC[(sum ^ bytes[i]) & 255];
  return ~sum >>> 0;
}

/** Half-precision numbers as float32: sign, 5 bits of exponent, 10 of mantissa. All 65,536 are made once. */
function halves(raw) {
  const table = Float32Array.from({ length: 65536 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, mantissa = half & 1023;
    if (exponent === 31) return mantissa ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -24 * mantissa);
  });
  const view = new DataView(raw.buffer), out = new Float32Array(raw.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = table[view.getUint16(2 * i, true)];
  return out;
}

/** Resolves when the reader comes near an element. */
export function whenSeen(element) {
  return new Promise((resolve) => {
    const watch = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        watch.disconnect();
        resolve();
      },
      { rootMargin: "300px" },
    );
    watch.observe(element);
  });
}

/** Call `paint` when the reader turns the lights on or off. Drawings ask `colour(name)` for the theme's
 *  colours. */
export function onTheme(paint) {
  new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

/** The value of a CSS variable on an element, such as colour(element, "--live-positive"). */
export function colour(element, name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

/** Whether the reader asked for less motion. */
export const calm = () => motion?.matches ?? false;
const motion = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");
