// Tables that stay tables for a screen reader when a phone shows their rows as cards.

import { element } from "./dom.js";

/**
 * A table from rows of cells (text, node, or an array of these).
 * `columns`: names, or {name, number: true} for figures. The first cell of a row names it. `cards`: false where a table is
 * narrow enough for a phone.
 */
export function table(caption, columns, rows, { empty = "Nothing here yet.", cards = true } = {}) {
  const heads = columns.map((one) => (typeof one === "string" ? { name: one } : one));
  if (!rows.length) return element("p", { class: "quiet" }, empty);
  // The roles say again what the elements are: as cards they lose it in some browsers.
  return element("table", { class: cards && "cards", role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, heads.map(head))),
    element("tbody", { role: "rowgroup" }, rows.map((cells) => line(heads, cells))));
}

function head(column) {
  return element("th", { scope: "col", role: "columnheader", class: column.number ? "number" : undefined }, column.name);
}

/** One row; also used to add rows later. */
export function line(heads, cells) {
  return element("tr", { role: "row" }, cells.map((cell, place) => {
    const { name, number } = heads[place];
    const attributes = { "data-column": name, class: number ? "number" : undefined };
    if (place === 0) return element("th", { scope: "row", role: "rowheader", ...attributes }, cell);
    return element("td", { role: "cell", ...attributes }, element("div", {}, cell)); // one part beside the column's name
  }));
}

/** Counts by two names: rows down, columns across, with sums. It scrolls by itself where it is too wide. */
export function crossTable(caption, corner, counts) {
  const rows = [...new Set(counts.map((one) => one.row))].sort(byName);
  const columns = [...new Set(counts.map((one) => one.column))].sort(byName);
  const sums = new Map();
  for (const { row, column, cases } of counts) {
    for (const key of [[row, column], [row, ""], ["", column], ["", ""]].map(String)) {
      sums.set(key, (sums.get(key) ?? 0) + cases);
    }
  }
  const figure = (row, column) => sums.get(String([row, column])) ?? 0;
  const cell = (number) => element("td", { class: number ? "number" : "number none" }, String(number));
  const across = (row, name) => element("tr", {},
    element("th", { scope: "row" }, name), [...columns, ""].map((column) => cell(figure(row, column))));
  const top = [corner, ...columns, "all"].map((name, place) =>
    element("th", { scope: "col", class: place > 0 && "number" }, name));
  return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    element("table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, top)),
      element("tbody", {}, rows.map((row) => across(row, row))),
      element("tfoot", {}, across("", "all"))));
}

function byName(one, other) {
  return one.localeCompare(other, "en", { numeric: true });
}
