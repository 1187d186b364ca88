// What a network says, in a table: a row for each label, a column for each layer, their sum and the linear
// read-out.

import { el, paintGrey } from "./digit_elements.js";
import { ranking, softmax } from "./digit_matrices.js";
import { SIDE } from "./digit_ink.js";

const LOGITS = ["mf", "bp"]; // rules whose scores are logits: shares are told, not goodness

/** The columns of an answer: `{head, values, shares, says, counts}`. Shares of goodness are above the
 *  lowest label's, on one scale for all columns; `counts` is false for a layer that has no vote. */
export function columns(network, answer) {
  const logits = LOGITS.includes(network.rule),
    found = answer.goodness.map((values, number) => ({
      head: `${logits ? "Block" : "Layer"} ${number + 1}`,
      values,
      counts: number >= network.judge,
    }));
  if (found.length !== 1)
    found.push({
      head: answer.goodness.length ? "Sum" : "Network",
      values: summed(network, answer),
      counts: true,
    });
  const above = found.map(({ values }) => Math.min(...values));
  const scale = Math.max(...found.map(({ values }, column) => Math.max(...values) - above[column])) || 1;
  found.forEach((column, number) => {
    column.shares = logits
      ? softmax(column.values)
      : Array.from(column.values, (value) => (value - above[number]) / scale);
    const largest = Math.max(...column.values);
    column.texts = logits
      ? column.shares.map(percent)
      : Array.from(column.values, (value) => amount(value, largest));
  });
  if (answer.logits) {
    const shares = softmax(answer.logits);
    found.push({ head: "Read-out", values: answer.logits, shares, texts: shares.map(percent), counts: true });
  }
  return found.map((column) => ({ ...column, says: ranking(column.values)[0] }));
}

/** The judging layers' goodness added up; θ, the same for all labels, is left in. */
function summed(network, { goodness, scores }) {
  const judges = goodness.slice(network.judge);
  return judges.length
    ? scores.map((_, label) => judges.reduce((sum, values) => sum + values[label], 0))
    : scores;
}

const percent = (share) =>
  share > 0.9949 && share < 1 - 1e-9
    ? `${(100 * share).toFixed(1)}\u00a0%`.replace("100.0", ">\u00a099.9")
    : `${Math.round(100 * share)}\u00a0%`;

/** A number with as many decimals as give the largest beside it three digits. */
function amount(value, largest = value) {
  const decimals = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(largest)))));
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** The answer in words: the winner, how far ahead it is, and which layers see it otherwise. */
export function sentence(network, answer) {
  const [winner, second] = ranking(answer.scores),
    all = columns(network, answer);
  const layers = all.filter(({ head, counts }) => counts && /\d/.test(head)),
    readout = all.find(({ head }) => head === "Read-out");
  const lead = answer.scores[winner] - answer.scores[second];
  const ahead = LOGITS.includes(network.rule)
    ? `${percent(softmax(answer.scores)[winner])} sure`
    : `ahead of ${second} by ${amount(lead)}`;
  const others = layers
    .filter(({ says }) => says !== winner)
    .map(({ head, says }) => `${head.toLowerCase()} says ${says}`);
  if (readout && readout.says !== winner) others.push(`the read-out says ${readout.says}`);
  const agree = layers.length + Boolean(readout) > 1 ? " All agree." : "";
  return `${winner}, ${ahead}.${others.length ? ` But ${others.join(", ")}.` : agree}`;
}

/** A table that `show(network, answer)` fills, and `show(network, null)` empties. */
export function verdictTable() {
  const table = el("table", { class: "digit-table" });
  let built = "",
    rows = [];

  function build(network, heads) {
    rows = Array.from({ length: network.classes }, (_, label) => {
      const picture = el("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
      const cells = heads.map(() => {
        const bar = el("span", { class: "digit-bar" }),
          text = el("span", { class: "digit-number" });
        return { cell: el("td", {}, bar, text), bar, text };
      });
      const head = el("th", { scope: "row" }, picture, el("span", {}, String(label)));
      return { row: el("tr", {}, head, ...cells.map(({ cell }) => cell)), picture, cells };
    });
    const names = heads.map(({ head, counts }) =>
      el("th", { scope: "col" }, head, counts ? "" : el("small", {}, " no vote")),
    );
    table.replaceChildren(
      el("caption", {}, "What the network answers to each label"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Label"), ...names)),
      el("tbody", {}, ...rows.map(({ row }) => row)),
    );
  }

  function show(network, answer) {
    table.classList.toggle("digit-empty", !answer);
    if (!answer) return rows.forEach(({ row }) => row.classList.remove("digit-winner"));
    const all = columns(network, answer),
      key = JSON.stringify(all.map(({ head, counts }) => [head, counts]));
    if (built !== key) build(network, all);
    built = key;
    const [winner] = ranking(answer.scores);
    table.classList.toggle("digit-labelled", Boolean(answer.labelled));
    rows.forEach(({ row, picture, cells }, label) => {
      row.classList.toggle("digit-winner", label === winner);
      if (answer.labelled)
        paintGrey(picture, answer.labelled.subarray(label * SIDE * SIDE, (label + 1) * SIDE * SIDE), SIDE);
      cells.forEach(({ cell, bar, text }, number) => {
        const { shares, texts, says, counts } = all[number];
        cell.className =
          `${says === label ? "digit-best" : ""} ${says === label && label !== winner ? "digit-other" : ""} ` +
          `${counts ? "" : "digit-mute"}`;
        bar.style.setProperty("--share", shares[label].toFixed(4));
        text.textContent = texts[label];
      });
    });
  }

  return { table, show };
}

/** Mono-Forward: the first block that is sure enough, and what stopping there spares. `{block, share,
 * spared}` or null. */
export function earlyExit(network, answer, enough) {
  const costs = network.layers.map(({ cost }) => cost),
    total = costs.reduce((sum, cost) => sum + cost);
  for (let block = 0; block < costs.length; block++) {
    const [share, says] = softmax(answer.goodness[block]).reduce(
      (best, one, label) => (one > best[0] ? [one, label] : best),
      [0, 0],
    );
    if (share >= enough) {
      return {
        block,
        share,
        says,
        spared: 1 - costs.slice(0, block + 1).reduce((sum, cost) => sum + cost) / total,
      };
    }
  }
  return null;
}
