// The report on a dataset: warnings first, then licences, labels, whom it shows, and pictures that come twice.

import { counted, element, fill } from "./dom.js";
import { badge } from "./knowledge-page.js";
import { crossTable, table } from "./knowledge-tables.js";
import { TWINS, short } from "./knowledge-words.js";

const AT_ONCE = 12; // pairs with their pictures
const UNKNOWN = "unknown";
const NUMBER = { name: "Cases", number: true };

export function reportOf(report) {
  return [
    warnings(report.warnings),
    part("Whom and what it shows", coverage(report.coverage)),
    part("Pictures that come twice", twins(report.duplicates)),
    part("Licences", licences(report.licences)),
    part("Labels", labels(report.labels)),
  ];
}

function part(title, ...content) {
  return element("section", { class: "stack" }, element("h2", {}, title), content);
}

function warnings(found) {
  if (!found.length) return element("p", { class: "told calm" }, "Nothing needs a look.");
  return element("div", { class: "told" }, element("p", {}, element("strong", {}, "Needs a look")), element("ul", {}, found.map((one) => element("li", {}, one))));
}

function coverage(counts) {
  const by = (name) => counts.map((one) => ({ row: one.label, column: one[name] ?? UNKNOWN, cases: one.cases }));
  return [crossTable("Cases by label and skin tone", "label", by("skin_tone")), crossTable("Cases by label and split", "label", by("split"))];
}

function licences(found) {
  const yes = (is) => (is ? "yes" : "no");
  return table("Licences and their terms", ["Licence", NUMBER, "Terms known", "May be shown", "Attribution", "Non-commercial only"],
    found.map((one) => [one.licence ?? UNKNOWN, String(one.cases), one.known ? "yes" : badge("no", "warn"), yes(one.show), yes(one.attribution), yes(one.non_commercial)]));
}

function labels(found) {
  return table("What became of the labels", ["Label", "As the manifest writes it", NUMBER, "Group", "Known to the label sets"],
    found.map((one) => [one.label, one.written ?? UNKNOWN, String(one.cases), one.group ?? "–", one.known_to.join(", ") || "none"]));
}

function twins(found) {
  const said = (title, counts) => [element("dt", {}, title), element("dd", {}, summed(counts))];
  const list = element("ol", { class: "pairs" });
  const more = element("p", {});
  showPairs(found.pairs, list, more);
  return [
    element("dl", { class: "facts" },
      said("Within the dataset", found.within), said("With other datasets", found.across_datasets), said("Between splits", found.across_splits),
      element("dt", {}, "Under different labels"), element("dd", {}, counted(found.conflicting_labels, "pair")),
      element("dt", {}, "Cropped copies"), element("dd", {}, found.crops ? "were looked for too" : "were not looked for: dermacite datasets report NAME --thorough"),
      found.unsketched > 0 && [element("dt", {}, "Compared by hash alone"), element("dd", {}, counted(found.unsketched, "case"))]),
    list, more,
  ];
}

function summed(counts) {
  const words = Object.entries(counts).map(([reason, number]) => `${number} ${TWINS[reason] ?? reason}`);
  return words.join(", ") || "none";
}

function showPairs(pairs, list, more) {
  const shown = list.children.length;
  list.append(...pairs.slice(shown, shown + AT_ONCE).map(pairOf));
  const left = pairs.length - list.children.length;
  fill(more, left > 0 && element("button", { type: "button", onclick: () => showPairs(pairs, list, more) }, `Show ${Math.min(AT_ONCE, left)} of ${left} more pairs`));
}

function pairOf(pair) {
  const [one, other] = [0, 1].map((side) => element("figure", {},
    element("img", { src: `/v1/cases/${pair.ids[side]}/picture`, alt: `Case ${pair.ids[side]}: ${pair.labels[side]}`, loading: "lazy", width: 160, height: 160 }),
    element("figcaption", { class: "small" }, pair.labels[side], element("br"),
      element("span", { class: "quiet" }, [pair.datasets[side], pair.splits[side] ?? "no split", short(pair.ids[side])].join(", ")))));
  const differ = pair.labels[0] !== pair.labels[1];
  return element("li", {}, element("p", {}, TWINS[pair.reason] ?? pair.reason, differ && [" ", badge("different labels", "bad")]), element("div", { class: "row" }, one, other));
}
