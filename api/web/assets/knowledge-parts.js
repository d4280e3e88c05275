// Parts that many of these pages are made of.

import { element } from "./dom.js";

export function link(address, ...words) {
  return element("a", { href: address }, words);
}

/** The items as a list; nothing for none. */
export function bullets(items, attributes = {}) {
  return items.length > 0 && element("ul", attributes, items.map((one) => element("li", {}, one)));
}

/** Names with their values; those without a value are left out. */
export function facts(...pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  const told = known.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { class: "facts" }, told);
}

/** A part of a page under its heading. */
export function part(title, ...content) {
  return element("section", { class: "stack" }, element("h2", {}, title), content);
}

/** A badge with a state; the word says it, the colour only repeats it. */
export function badge(word, kind) {
  return element("span", { class: kind ? `badge ${kind}` : "badge" }, word);
}

/** What folds out. */
export function folded(title, ...content) {
  return element("details", {}, element("summary", {}, title), content);
}

/** A picture of a reference case at `size` pixels; its place is kept until it has come. */
export function casePicture(id, label, size) {
  const address = `/v1/cases/${id}/picture`;
  return element("img", { src: address, alt: `Case ${id}: ${label}`, loading: "lazy", width: size, height: size });
}
