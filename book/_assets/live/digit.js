// Draw a digit: the course's trained networks judge it in the page, layer by layer, while it is drawn.

import { calm, colour, inWorker, loadNetwork, loadScript, mountAll, onTheme, say, whenSeen } from "./loader.js";
import { el, mapPicture, paintGrey, rgb } from "./digit_elements.js";
import { added, fitted, moved, onPad, SIDE } from "./digit_ink.js";
import { makePad } from "./digit_pad.js";
import { ranking } from "./digit_matrices.js";
import { serve, startJudge } from "./digit_judge.js";
import { earlyExit, sentence, verdictTable } from "./digit_verdict.js";
import { foolingSliders, mapChoice, testImages, turns } from "./digit_controls.js";
import { TURNS } from "./digit_turns.js";

const UNMOVED = { right: 0, down: 0, degrees: 0 };

async function mountDigit(element, { network: first }) {
  const { networks, digits } = await loadScript("shelf", () => globalThis.liveShelf);
  const judge = startJudge(),
    loaded = new Map();
  const state = {
    network: null,
    name: null,
    movement: { ...UNMOVED },
    strength: null,
    enough: 0.95,
    example: true,
    answer: null,
  };

  const pad = makePad({
    began,
    changed,
    look: () => ({ ink: colour(element, "--digit-ink"), mark: colour(element, "--live-one") }),
  });
  const seen = el("canvas", {
    class: "digit-seen",
    role: "img",
    "aria-label": "The 28×28 picture that the network sees",
  });
  const big = el("output", { class: "digit-big", "aria-hidden": "true" }),
    words = el("p", { class: "digit-words", role: "status" });
  const about = el("p", { class: "digit-about" }),
    exit = el("p", { class: "digit-exit" }),
    time = el("p", { class: "digit-time" });
  const history = el("ol", { class: "digit-history" }),
    hint = el("p", { class: "digit-hint" });
  const verdict = verdictTable(),
    sliders = foolingSliders(state, settle),
    maps = mapChoice(showMap);
  const images = testImages(digits, (image, label) => show([], image, label)),
    failed = el("div");
  const choice = el(
    "select",
    { class: "digit-network", onchange: () => choose(choice.value) },
    ...networks.map(({ name, title, megabytes }) =>
      el("option", { value: name }, `${title} (${megabytes} MB)`),
    ),
  );

  const button = (text, onclick) => el("button", { type: "button", onclick }, text);
  element.replaceChildren(
    el(
      "div",
      { class: "digit" },
      el(
        "div",
        { class: "digit-left" },
        pad.canvas,
        hint,
        el(
          "div",
          { class: "digit-tools" },
          button("Undo", () => pad.undo()),
          button("Clear", () => show([])),
        ),
        el("div", { class: "digit-sees" }, seen, el("div", {}, el("p", {}, "What the network sees"), big)),
      ),
      el(
        "div",
        { class: "digit-right" },
        el("label", {}, el("span", {}, "Network"), choice),
        about,
        failed,
        words,
        verdict.table,
        exit,
        maps.row,
        time,
      ),
    ),
    images.folded,
    el(
      "section",
      { class: "digit-fool" },
      el("h2", {}, "Fool it"),
      sliders.element,
      el("p", {}, "Stroke by stroke, one digit becomes another. Watch where the answer turns:"),
      turns(act),
      history,
    ),
  );

  // The reader draws, or takes a picture.

  function began() {
    state.acting = null;
    if (state.example) show([]);
  }

  function changed(done) {
    state.example = false;
    if (done) settle();
    else refresh();
  }

  function show(strokes, picture = null, label = null) {
    state.label = label;
    if (!picture) images.release();
    state.acting = null;
    pad.show(strokes, picture);
  }

  /** Draw strokes before the reader's eyes; at once where less motion is wanted. */
  function act(strokes) {
    show([]);
    const points = strokes.flatMap((stroke, number) =>
      stroke.map((point, i) => ({ point, number, last: i === stroke.length - 1 })),
    );
    const acting = (state.acting = {});
    const step = () => {
      if (state.acting !== acting) return;
      let next = points.shift();
      for (; next; next = points.shift()) {
        (pad.strokes[next.number] ??= []).push(next.point);
        if (next.last || !calm()) break;
      }
      pad.paint();
      changed(!next || next.last);
      if (points.length) setTimeout(step, next?.last ? 700 : 16);
    };
    step();
  }

  // The network answers.

  const picture = (strokes) => {
    const { image, place } = pad.picture ? added(strokes, pad.picture) : fitted(strokes);
    return { image: moved(image, state.movement), place };
  };
  const blank = () => !pad.strokes.length && !pad.picture;

  /** Ask about what is on the pad, and show the answer. False when something newer came in between. */
  async function refresh() {
    const { image, place } = picture(pad.strokes);
    paintGrey(seen, image, SIDE);
    hint.textContent = state.example
      ? "An example. Draw a digit of your own."
      : blank()
        ? "Draw a digit, or take one below."
        : pad.picture && state.label !== null
          ? `MNIST says: ${state.label}. Add a stroke, and see.`
          : "";
    if (!state.network) return false;
    const { name, strength, network } = state,
      question = (state.question = {});
    verdict.table.setAttribute("aria-busy", "true");
    const answer = blank() ? null : await ask(name, image, strength);
    if (answer === undefined || name !== state.name || (answer && blank())) return false;
    showAnswer(network, answer, place);
    // an answer to less than is drawn by now: shown, but not the last word
    if (state.question !== question) return false;
    verdict.table.setAttribute("aria-busy", "false");
    return true;
  }

  /** A network's answer everywhere on the page; null where there is none. */
  function showAnswer(network, answer, place) {
    Object.assign(state, { answer, place });
    verdict.show(network, answer);
    big.textContent = answer ? ranking(answer.scores)[0] : "";
    words.textContent = answer ? sentence(network, answer) : "";
    time.textContent = answer ? `Computed here in ${Math.max(1, Math.round(answer.milliseconds))} ms.` : "";
    showExit();
    showMap();
  }

  /** The same for what will stay for a while, and what was said after each stroke. */
  async function settle() {
    if (await refresh()) tellHistory();
  }

  /** An answer; undefined when a newer question overtook this one, or when it failed, which is said. */
  async function ask(name, image, strength) {
    try {
      return (await judge.ask(name, image, strength === null ? {} : { strength })) ?? undefined;
    } catch (error) {
      say(failed, error);
    }
  }

  function showExit() {
    exit.hidden = state.network?.rule !== "mf" || !state.answer;
    if (exit.hidden) return;
    const found = earlyExit(state.network, state.answer, state.enough);
    exit.textContent = found
      ? `Early exit: block ${found.block + 1} is sure enough of ${found.says}` +
        (found.spared > 0.005
          ? `, and ${Math.round(100 * found.spared)}\u00a0% of the multiplications are spared.`
          : ", the last one.")
      : "Early exit: no block is sure enough, all have to be asked.";
  }

  function showMap() {
    const { answer, place, movement } = state,
      asked = maps.choice();
    pad.overlay = null;
    if (answer && asked !== "off" && (answer.maps || answer.goodnessMaps)) {
      const [winner, second] = ranking(answer.scores),
        size = SIDE * SIDE;
      const of = (all, label) => all.subarray(label * size, (label + 1) * size);
      const map =
        asked === "rival"
          ? of(answer.goodnessMaps, winner).map((value, i) => value - of(answer.goodnessMaps, second)[i])
          : of(answer.maps, asked === "winner" ? winner : Number(asked));
      const [above, below] = ["--live-one", "--live-zero"].map((name) => rgb(colour(element, name)));
      pad.overlay = { image: mapPicture(map, SIDE, above, below), transform: onPad(place, movement) };
    }
    pad.paint();
  }

  /** What the network said after each stroke. */
  async function tellHistory() {
    const told = (state.telling = {}),
      entries = [],
      { name, strength, answer: last } = state; // to all strokes: the answer that is shown
    for (let count = 1; count <= pad.strokes.length && state.network; count++) {
      const { image } = picture(pad.strokes.slice(0, count)),
        answer = count < pad.strokes.length ? await ask(name, image, strength) : last;
      if (state.telling !== told || !answer) return;
      const canvas = el("canvas", { "aria-hidden": "true" });
      paintGrey(canvas, image, SIDE);
      entries.push(el("li", {}, canvas, el("span", {}, `${ranking(answer.scores)[0]}`)));
    }
    if (state.telling === told) history.replaceChildren(...entries);
  }

  // Another network.

  async function choose(name) {
    choice.value = name;
    about.textContent = "Loading …";
    for (const part of [failed, history]) part.replaceChildren();
    Object.assign(state, { network: null, name: null }); // what the other one said is not this one's answer
    showAnswer(null, null);
    try {
      if (!loaded.has(name)) loaded.set(name, await judge.load(name, await loadNetwork(name)));
    } catch (error) {
      if (choice.value !== name) return;
      about.textContent = "";
      verdict.table.setAttribute("aria-busy", "false");
      return say(failed, error);
    }
    if (choice.value !== name) return;
    Object.assign(state, { network: loaded.get(name), name });
    about.textContent = describe(state.network);
    sliders.fit(state.network);
    maps.fit(state.network);
    await settle();
  }

  onTheme(showMap);
  pad.strokes.push(TURNS[0].strokes[0]);
  refresh();
  await whenSeen(element); // a chapter's network is loaded when its reader comes to it
  if (about.textContent) return; // the reader was quicker, and has chosen another
  await choose(networks.some(({ name }) => name === first) ? first : networks[0].name);
}

/** One line about a network: its layers, and how often it is right. */
function describe({ layers, about }) {
  const { widths, kernel } = about.config.blocks ?? {};
  const what = kernel
    ? `${layers.length} layers of ${[...new Set(widths)].join(", ")} filters ${kernel}×${kernel}`
    : `${layers.length} layers of ${layers[0].shape[0]} neurons`;
  const right = ["test_goodness", "test_ff_pred", "test_accuracy"]
    .map((key) => about.metrics[key])
    .find(Boolean);
  const share = `right on ${(100 * right).toFixed(1)}\u00a0% of MNIST's test images.`;
  return `${what}; ${right ? share : "not trained yet."}`;
}

if (inWorker) serve();
mountAll("digit", mountDigit);
