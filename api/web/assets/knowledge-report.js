// The report on a dataset: warnings first, then whom it shows, pictures that come twice, licences and labels.

import { counted, element, fill } from "./dom.js";
import { badge, bullets, casePicture, facts, part } from "./knowledge-parts.js";
import { crossTable, table } from "./knowledge-tables.js";
import { TWINS, short } from "./knowledge-words.js";

const AT_ONCE = 12; // pairs with their pictures
const UNKNOWN = "unknown";
const CASES = { name: "Cases", number: true };
const LICENCE_COLUMNS = ["Licence", CASES, "Terms known", "May be shown", "Attribution", "Non-commercial only"];
const LABEL_COLUMNS = ["Label", "As the manifest writes it", CASES, "Group", "Known to the label sets"];
const NO_CROPS = "were not looked for: dermacite datasets report NAME --thorough";

export function reportOf(report) {
  return [
    warnings(report.warnings),
    part("Whom and what it shows", coverage(report.coverage)),
    part("Pictures that come twice", twins(report.duplicates)),
    part("Licences", licences(report.licences)),
    part("Labels", labels(report.labels)),
  ];
}

function warnings(found) {
  if (!found.length) return element("p", { class: "told calm" }, "Nothing needs a look.");
  return element("div", { class: "told" }, element("p", {}, element("strong", {}, "Needs a look")), bullets(found));
}

function coverage(counts) {
  const by = (name) => counts.map((one) => ({ row: one.label, column: one[name] ?? UNKNOWN, cases: one.cases }));
  return [
    crossTable("Cases by label and skin tone", "Label", by("skin_tone")),
    crossTable("Cases by label and split", "Label", by("split")),
  ];
}

function licences(found) {
  const yes = (is) => (is ? "yes" : "no");
  const known = (one) => (one.known ? "yes" : badge("no", "warn"));
  return table("Licences and their terms", LICENCE_COLUMNS, found.map((one) => [
    one.licence ?? UNKNOWN, String(one.cases), known(one), yes(one.show), yes(one.attribution), yes(one.non_commercial),
  ]));
}

function labels(found) {
  return table("What became of the labels", LABEL_COLUMNS, found.map((one) => [
    one.label, one.written ?? UNKNOWN, String(one.cases), one.group ?? "–", one.known_to.join(", ") || "none",
  ]));
}

function twins(found) {
  const list = element("ol", { class: "pairs" });
  const more = element("p");
  showPairs(found.pairs, list, more);
  return [
    facts(
      ["Within the dataset", summed(found.within)],
      ["With other datasets", summed(found.across_datasets)],
      ["Between splits", summed(found.across_splits)],
      ["Under different labels", counted(found.conflicting_labels, "pair")],
      ["Cropped copies", found.crops ? "were looked for too" : NO_CROPS],
      ["Compared by hash alone", found.unsketched > 0 && counted(found.unsketched, "case")],
    ),
    list.children.length > 0 && list, more,
  ];
}

function summed(counts) {
  return Object.entries(counts).map(([reason, number]) => `${number} ${TWINS[reason] ?? reason}`).join(", ") || "none";
}

function showPairs(pairs, list, more) {
  const shown = list.children.length;
  list.append(...pairs.slice(shown, shown + AT_ONCE).map(pairOf));
  const left = pairs.length - list.children.length;
  const words = `Show ${Math.min(AT_ONCE, left)} of ${left} more pairs`;
  fill(more, left > 0 && element("button", { type: "button", onclick: () => showPairs(pairs, list, more) }, words));
}

function pairOf(pair) {
  const differ = pair.labels[0] !== pair.labels[1];
  const reason = [TWINS[pair.reason] ?? pair.reason, differ && [" ", badge("different labels", "bad")]];
  const sides = element("div", { class: "row" }, sideOf(pair, 0), sideOf(pair, 1));
  return element("li", {}, element("p", {}, reason), sides);
}

function sideOf(pair, side) {
  const [id, label] = [pair.ids[side], pair.labels[side]];
  const origin = [pair.datasets[side], pair.splits[side] ?? "no split", short(id)].join(", ");
  const caption = element("figcaption", { class: "small" }, label, element("br"), element("span", { class: "quiet" }, origin));
  return element("figure", {}, casePicture(id, label, 160), caption);
}
