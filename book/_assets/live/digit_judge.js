// The network works in a worker, so that the page never waits for it. Both ends of the line are here.

import { startWorker, unpack } from "./loader.js";
import { readNetwork } from "./digit_networks.js";

/** The worker's end: it keeps the networks that it was sent, and answers. */
export function serve() {
  const networks = new Map();
  globalThis.onmessage = ({ data: { id, name, packed, image, options } }) => {
    try {
      if (!image) {
        const { about, tensors } = unpack(name, packed),
          network = readNetwork(about, tensors);
        networks.set(name, network);
        const { ask, ...told } = network;
        postMessage({ id, result: { ...told, about } });
      } else {
        const start = performance.now(),
          answer = networks.get(name).ask(image, options);
        postMessage({ id, result: { ...answer, milliseconds: performance.now() - start } });
      }
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  };
}

/** The page's end. `load(name, packed)` promises what the network is like, or fails with a sentence.
 *  `ask(name, image, options)` promises its answer, or null when a newer question came before this one's
 *  turn. */
export function startJudge() {
  const worker = startWorker(),
    open = new Map();
  let next = 0,
    busy = false,
    waiting = null;

  worker.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = open.get(id);
    open.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  };

  function send(message) {
    return new Promise((resolve, reject) => {
      open.set(next, { resolve, reject });
      worker.postMessage({ id: next++, ...message });
    });
  }

  async function proceed() {
    const { message, resolve, reject } = waiting;
    waiting = null;
    busy = true;
    await send(message).then(resolve, reject);
    busy = false;
    if (waiting) proceed();
  }

  function ask(name, image, options) {
    waiting?.resolve(null);
    return new Promise((resolve, reject) => {
      waiting = { message: { name, image, options }, resolve, reject };
      if (!busy) proceed();
    });
  }

  return { load: (name, packed) => send({ name, packed }), ask };
}
