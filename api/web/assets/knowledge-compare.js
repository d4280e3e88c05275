// Two versions compared: which advice changed, in which numbers, and which past answers used it.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { given, shown } from "./knowledge-page.js";
import { moment, percent } from "./knowledge-words.js";

const pages = (one) => (one.first_page === one.last_page ? `page ${one.first_page}` : `pages ${one.first_page}–${one.last_page}`);

async function load() {
  const { before, after } = given;
  const [old, found] = await Promise.all([
    askJson(`/v1/documents/${encodeURIComponent(before)}`),
    askJson(`/v1/versions/${encodeURIComponent(before)}/difference?to=${encodeURIComponent(after)}`),
  ]);
  const numbers = new Map(old.versions.map((one) => [one.id, one.number]));
  const name = (id) => (numbers.has(id) ? `version ${numbers.get(id)}` : `the version ${id}`);
  fill(find("#which"), element("a", { href: `/knowledge/documents/${old.id}` }, old.source.title), `: from ${name(found.before)} to ${name(found.after)}`);
  return view(found);
}

function view(found) {
  const words = [counted(found.changed.length, "passage") + " changed", `${found.added.length} new`, `${found.removed.length} gone`, `${found.unchanged} the same`];
  return [
    element("p", { class: "card" }, words.join(", "), "."),
    found.changed.length > 0 && part("Changed", found.changed.map((one) => changed(one, found))),
    found.added.length > 0 && part("New", found.added.map((one) => passage(one, found.after))),
    found.removed.length > 0 && part("Gone", found.removed.map((one) => passage(one, found.before))),
    answers(found.answers),
  ];
}

function part(title, items) {
  return element("section", { class: "stack" }, element("h2", {}, title), items);
}

function changed(one, found) {
  return element("article", { class: "card" },
    element("p", { class: "row" },
      one.numbers_gone.length + one.numbers_new.length > 0
        ? element("strong", {}, "Numbers: ", numbers(one.numbers_gone, "del", "only before"), " ", numbers(one.numbers_new, "ins", "only after"))
        : element("span", {}, "No number changed."),
      element("span", { class: "quiet small" }, `${percent(one.similarity)} alike`)),
    element("div", { class: "sides" },
      side("Before", one.before, found.before),
      side("After", one.after, found.after)));
}

function numbers(values, name, said) {
  return values.length > 0 && [element("span", { class: "hidden" }, `${said}: `), values.map((value) => [element(name, {}, value), " "])];
}

function side(title, one, version) {
  return element("div", {}, element("h3", {}, title), passageText(one, version));
}

function passage(one, version) {
  return element("article", { class: "card" }, passageText(one, version));
}

function passageText(one, version) {
  return [
    element("p", { class: "quiet small" }, one.section.join(" › "), one.section.length > 0 && ", ",
      element("a", { href: `/knowledge/versions/${version}?page=${one.first_page}&passage=${encodeURIComponent(one.id)}` }, pages(one))),
    element("blockquote", {}, one.text),
  ];
}

function answers(uses) {
  if (uses === null) return element("p", { class: "quiet" }, "Which past answers used what changed is not known: answers are not kept (setting: keep_answers).");
  if (!uses.length) return element("p", {}, "No kept answer used what changed.");
  return part("Past answers that used it", element("ul", {}, uses.map((one) =>
    element("li", {}, element("code", {}, one.answer_id), ` ${moment(one.at)}: ${one.key} ${one.cited ? "was cited" : "was shown"}`))));
}

shown(find("#difference"), load);
