// How a text search came to its ranking, as a person reads it: the lines of `dermacite search --explain`.

import { element } from "./dom.js";
import { bullets, facts } from "./knowledge-parts.js";
import { percent } from "./knowledge-words.js";

export function explanationOf(one) {
  const candidates = Object.entries(one.proposed).map(([leg, number]) => `${number} ${leg}`);
  return facts(
    ["Fusion", `${one.fusion}: ${shares(one)}`],
    ["Candidates", candidates.join(", ")],
    ["Coverage", `The best candidates by words say ${percent(one.coverage)} of the query's words, by rarity`],
    ["Added", bullets(one.expansions.map(expansion)) || "nothing: no lay word in the query"],
    ["Floor", `cosine ${one.cosine_floor}`],
    ["Dropped", bullets(one.dropped.map(dropped)) || "nothing"],
  );
}

function shares(one) {
  const told = Object.entries(one.shares).map(([leg, share]) => `${share.toFixed(2)} ${leg}`);
  return told.join(" + ") || "ranks of both legs, no shares";
}

function expansion(one) {
  return `${one.terms.join(", ")} (for “${one.phrase}”, ${one.kind})`;
}

function dropped(one) {
  const cosine = `cosine ${one.cosine.toFixed(3)}`;
  const why = one.reason === "near_duplicate" ? `nearly repeats ${one.of} (${cosine})` : `below the floor (${cosine})`;
  return [element("code", {}, one.id), `: ${why}`];
}
