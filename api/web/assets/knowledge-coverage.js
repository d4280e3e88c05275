// What the knowledge base has no answer for: labels without a passage, guidelines that no answer ever showed.

import { askJson } from "./api.js";
import { element, find } from "./dom.js";
import { shown } from "./knowledge-page.js";
import { table } from "./knowledge-tables.js";
import { moment } from "./knowledge-words.js";

const COLUMNS = ["Label", { name: "Cases", number: true }, { name: "Nearest passage, cosine", number: true }];

function labels(caption, found, empty) {
  return table(caption, COLUMNS, found.map((one) => [one.label, String(one.cases), one.similarity === null ? "none" : one.similarity.toFixed(2)]), { empty });
}

async function load() {
  const found = await askJson("/v1/coverage");
  const part = (id, title, ...content) => element("section", { class: "stack", "aria-labelledby": id }, element("h2", { id }, title), content);
  return [
    element("p", { class: "card" }, `${found.covered} labels are named by a passage in force; ${found.without_passage.length} have none at all.`),
    part("none", "No passage at all", labels(`No passage names the label, and none is as similar as ${found.floor}`, found.without_passage, "Every label has a passage.")),
    part("near", "Not named", labels(`A passage is at least ${found.floor} similar, but may be about something else`, found.not_named, "None.")),
    part("unused", "Guidelines that no answer showed", element("p", { class: "quiet" }, found.retrieval),
      found.never_retrieved && table("Never shown", ["Title", "Added"],
        found.never_retrieved.map((one) => [element("a", { href: `/knowledge/documents/${one.id}` }, one.title), moment(one.created_at)]), { empty: "Every guideline was shown at least once." })),
  ];
}

shown(find("#coverage"), load);
