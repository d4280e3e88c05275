// What the knowledge base has no answer for: labels without a passage, guidelines that no answer ever showed.

import { askJson } from "./api.js";
import { element, find } from "./dom.js";
import { shown } from "./knowledge-page.js";
import { link, part } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import { moment } from "./knowledge-words.js";

const COLUMNS = ["Label", { name: "Cases", number: true }, { name: "Nearest passage, cosine", number: true }];

function labels(caption, found, empty) {
  const similar = (one) => (one.similarity === null ? "none" : one.similarity.toFixed(2));
  return table(caption, COLUMNS, found.map((one) => [one.label, String(one.cases), similar(one)]), { empty });
}

async function load() {
  const found = await askJson("/v1/coverage");
  const { floor, covered, without_passage: none, not_named: near, never_retrieved: unused, retrieval } = found;
  return [
    element("p", { class: "card" }, `${covered} labels are named by a passage in force; ${none.length} have none at all.`),
    part("No passage at all",
      labels(`No passage names the label, and none is as similar as ${floor}`, none, "Every label has a passage.")),
    part("Not named",
      labels(`A passage is at least ${floor} similar, but may be about something else`, near, "None.")),
    part("Guidelines that no answer showed", element("p", { class: "quiet" }, retrieval), unused && neverShown(unused)),
  ];
}

function neverShown(found) {
  const rows = found.map((one) => [link(`/knowledge/documents/${one.id}`, one.title), moment(one.created_at)]);
  return table("Never shown", ["Title", "Added"], rows, { empty: "Every guideline was shown at least once." });
}

shown(find("#coverage"), load);
