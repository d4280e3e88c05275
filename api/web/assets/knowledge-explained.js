// How a text search came to its ranking, as a person reads it: the lines of `dermacite search --explain`.

import { element } from "./dom.js";
import { percent } from "./knowledge-words.js";

export function explanationOf(one) {
  const fact = (name, ...words) => [element("dt", {}, name), element("dd", {}, words)];
  return element("dl", { class: "facts" },
    fact("Fusion", `${one.fusion}: ${shares(one)}`),
    fact("Candidates", Object.entries(one.proposed).map(([leg, number]) => `${number} ${leg}`).join(", ")),
    fact("Coverage", `The best candidates by words say ${percent(one.coverage)} of the query's words, by rarity`),
    fact("Added", one.expansions.length ? element("ul", {}, one.expansions.map((more) => element("li", {}, `${more.terms.join(", ")} (for “${more.phrase}”, ${more.kind})`))) : "nothing: no lay word in the query"),
    fact("Floor", `cosine ${one.cosine_floor}`),
    fact("Dropped", one.dropped.length ? element("ul", {}, one.dropped.map((drop) => element("li", {}, element("code", {}, drop.id), `: ${why(drop)}`))) : "nothing"));
}

function shares(one) {
  return Object.entries(one.shares).map(([leg, share]) => `${share.toFixed(2)} ${leg}`).join(" + ") || "ranks of both legs, no shares";
}

function why(drop) {
  const cosine = `cosine ${drop.cosine.toFixed(3)}`;
  return drop.reason === "near_duplicate" ? `nearly repeats ${drop.of} (${cosine})` : `below the floor (${cosine})`;
}
