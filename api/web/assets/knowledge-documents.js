// Every guideline with its state; the list is narrowed as one types.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { shown } from "./knowledge-page.js";
import { link } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import { moment, standing } from "./knowledge-words.js";
import { stateBadges } from "./knowledge-version.js";

const PAGE = 100; // rows at a time

let documents = [];
let most = PAGE;

function wanted() {
  const words = find("#words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = find("#state").value;
  return documents.filter((one) => {
    const { title, publisher, jurisdiction, edition, tags } = one.source;
    const text = [title, publisher, jurisdiction, edition, ...tags, one.id].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (!state || standing(one.version) === state);
  });
}

function rows(found) {
  return found.map((one) => [
    link(`/knowledge/documents/${one.id}`, one.source.title),
    stateBadges(one.version),
    publisherOf(one.source),
    `${one.version.number} of ${one.versions}`,
    String(one.version.page_count),
    String(one.version.passage_count),
    moment(one.version.created_at),
  ]);
}

function publisherOf({ publisher, edition, jurisdiction }) {
  return [publisher, edition && `edition ${edition}`, jurisdiction].filter(Boolean).join(", ") || "–";
}

const COLUMNS = [
  "Title", "State", "Publisher", "Version", { name: "Pages", number: true }, { name: "Passages", number: true }, "Added",
];

function view() {
  const found = wanted();
  const all = counted(documents.length, "guideline");
  fill(find("#tally"), found.length === documents.length ? all : `${found.length} of ${all}`);
  const empty = documents.length ? "None fits. Change the words or the state." : "There is no guideline yet. Upload the first.";
  const left = found.length - most;
  const more = left > 0 && element("button", { type: "button", onclick: showMore }, `Show ${Math.min(PAGE, left)} more`);
  return [table("Guidelines", COLUMNS, rows(found.slice(0, most)), { empty }), more];
}

function showMore() {
  most += PAGE;
  fill(find("#documents"), view());
}

for (const name of ["#words", "#state"]) find(name).addEventListener("input", () => {
  most = PAGE;
  fill(find("#documents"), view());
});
shown(find("#documents"), async () => {
  documents = (await askJson("/v1/documents")).documents;
  return view();
});
