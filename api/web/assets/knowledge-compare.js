// Two versions compared: which advice changed, in which numbers, and which past answers used it.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { given, shown } from "./knowledge-page.js";
import { bullets, link, part } from "./knowledge-parts.js";
import { moment, pagesOf, percent } from "./knowledge-words.js";

const UNKNOWN = "Which past answers used what changed is not known: answers are not kept (setting: keep_answers).";

async function load() {
  const { before, after } = given;
  const [old, found] = await Promise.all([
    askJson(`/v1/documents/${encodeURIComponent(before)}`),
    askJson(`/v1/versions/${encodeURIComponent(before)}/difference?to=${encodeURIComponent(after)}`),
  ]);
  const numbers = new Map(old.versions.map((one) => [one.id, one.number]));
  const name = (id) => (numbers.has(id) ? `version ${numbers.get(id)}` : `the version ${id}`);
  const title = link(`/knowledge/documents/${old.id}`, old.source.title);
  fill(find("#which"), title, `: from ${name(found.before)} to ${name(found.after)}`);
  return view(found);
}

function view(found) {
  const { changed, added, removed, unchanged } = found;
  const numbers = [`${counted(changed.length, "passage")} changed`, `${added.length} new`, `${removed.length} gone`];
  return [
    element("p", { class: "card" }, `${numbers.join(", ")}, ${unchanged} the same.`),
    changed.length > 0 && part("Changed", changed.map((one) => change(one, found))),
    added.length > 0 && part("New", added.map((one) => alone(one, found.after))),
    removed.length > 0 && part("Gone", removed.map((one) => alone(one, found.before))),
    answers(found.answers),
  ];
}

function change(one, found) {
  const { numbers_gone: gone, numbers_new: come } = one;
  const said = [numbers(gone, "del", "only before"), " ", numbers(come, "ins", "only after")];
  const differ = gone.length + come.length > 0;
  return element("article", { class: "card" },
    element("p", { class: "row" },
      differ ? element("strong", {}, "Numbers: ", said) : element("span", {}, "No number changed."),
      element("span", { class: "quiet small" }, `${percent(one.similarity)} alike`)),
    element("div", { class: "sides" },
      element("div", {}, element("h3", {}, "Before"), passage(one.before, found.before)),
      element("div", {}, element("h3", {}, "After"), passage(one.after, found.after))));
}

function numbers(values, name, said) {
  if (!values.length) return null;
  return [element("span", { class: "hidden" }, `${said}: `), values.map((value) => [element(name, {}, value), " "])];
}

function alone(one, version) {
  return element("article", { class: "card" }, passage(one, version));
}

function passage(one, version) {
  const query = new URLSearchParams({ page: one.first_page, passage: one.id });
  const where = [one.section.join(" › "), one.section.length > 0 && ", "];
  return [
    element("p", { class: "quiet small" }, where, link(`/knowledge/versions/${version}?${query}`, pagesOf(one))),
    element("blockquote", {}, one.text),
  ];
}

function answers(uses) {
  if (uses === null) return element("p", { class: "quiet" }, UNKNOWN);
  if (!uses.length) return element("p", {}, "No kept answer used what changed.");
  const deed = (one) => ` ${moment(one.at)}: ${one.key} was ${one.cited ? "cited" : "shown"}`;
  const told = (one) => [element("code", {}, one.answer_id), deed(one)];
  return part("Past answers that used it", bullets(uses.map(told)));
}

shown(find("#difference"), load);
