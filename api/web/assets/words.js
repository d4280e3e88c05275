// How numbers and verdicts are said.

import { element } from "./dom.js";

const VERDICTS = {
  supported: ["supported", "good"], partly: ["partly supported", "warn"], unsupported: ["not supported", "bad"],
};

/** A probability of 0..1, or what it means that there is none. */
export function percent(probability) {
  if (probability === null || probability === undefined) return "unknown";
  return `${(100 * probability).toFixed(1)} %`;
}

/** A score as it is compared by eye; scores of different legs are never comparable. */
export function score(value) {
  return value === null || value === undefined ? "–" : Number(value).toFixed(3);
}

/** A span of time, from milliseconds. */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** The badge of a verdict. */
export function verdictBadge(verdict) {
  const [text, tone] = VERDICTS[verdict] ?? [verdict, ""];
  return element("span", { class: `badge ${tone}` }, text);
}

/** The badge of a guideline that is not in force; nothing for one that is. */
export function standingBadge(standing) {
  if (!standing || standing === "in_force") return null;
  return element("span", { class: "badge bad" }, standing.replaceAll("_", " "));
}

/** A label as it is shown. */
export function shownLabel(candidate) {
  return candidate.display ?? candidate.label;
}

/** `page 3`, `pages 3 to 4`. */
export function pages(first, last) {
  return first === last || last === null ? `page ${first}` : `pages ${first} to ${last}`;
}

/** Part of a text by code points, as spans of the service count; strings here count otherwise. */
export function part(text, start, end) {
  return [...text].slice(start, end).join("");
}

/** A text in which spans `[start, end)` are marked; overlapping ones become one. */
export function marked(text, spans) {
  const signs = [...text];
  const pieces = [];
  let at = 0;
  for (const { start, end } of [...spans].sort((one, other) => one.start - other.start)) {
    const from = Math.max(start, at);
    const to = Math.min(end, signs.length);
    if (to <= from) continue;
    pieces.push(signs.slice(at, from).join(""), element("mark", {}, signs.slice(from, to).join("")));
    at = to;
  }
  return [...pieces, signs.slice(at).join("")];
}
