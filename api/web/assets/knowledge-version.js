// One version of a guideline: its state in words, what is known of its source, and what can be done with it.

import { askJson } from "./api.js";
import { counted, element } from "./dom.js";
import { confirmed } from "./knowledge-dialogs.js";
import { badge, facts } from "./knowledge-parts.js";
import { sourceFields } from "./knowledge-source.js";
import { reviewDue, standing, stateWord } from "./knowledge-words.js";

const KINDS = { live: "good", draft: "warn", expired: "bad" };
const ORDER = [
  ["publisher", "Publisher"], ["edition", "Edition"], ["jurisdiction", "Jurisdiction"], ["language", "Language"],
  ["licence", "Licence"], ["effective", "In force from"], ["review", "Due for review on"],
  ["expires", "No longer in force from"], ["grade", "Grade of evidence"], ["tags", "Tags"],
];

/** Its state, and whether it is due to be looked at. */
export function stateBadges(version) {
  const state = standing(version);
  return [badge(stateWord(state), KINDS[state]), reviewDue(version) && [" ", badge("review due", "warn")]];
}

export function nameOf(version) {
  return `version ${version.number} of “${version.source.title}”`;
}

/** "3 pages, 1 passage". */
export function extent(version) {
  return `${counted(version.page_count, "page")}, ${counted(version.passage_count, "passage")}`;
}

/** What is known of a source; what is not known is not there. */
export function sourceFacts(source) {
  const told = ORDER.map(([name, words]) => [words, Array.isArray(source[name]) ? source[name].join(", ") : source[name]]);
  // The address is what somebody wrote: only one of the web becomes a link.
  const web = /^https?:\/\//i.test(source.url ?? "");
  const away = web && element("a", { href: source.url, rel: "noreferrer noopener", target: "_blank" }, source.url);
  return facts(...told, ["Address", away]);
}

/** Ask, then put a version in force. Resolves to the version, or to nothing where it was not confirmed. */
export async function approve(version, current) {
  const takes = current && current.id !== version.id && current.state === "live";
  const sure = await confirmed({
    title: `Put ${nameOf(version)} in force?`,
    lines: [
      `${extent(version)}. From now on they are found by searches and cited in answers.`,
      takes ? `Version ${current.number}, in force now, is superseded in the same step.` : "No other version is in force.",
    ],
    action: "Put in force",
  });
  return sure ? askJson(`/v1/versions/${version.id}/approve`, { method: "POST" }) : undefined;
}

/** Ask, then take a version out of use. */
export async function retire(version) {
  const sure = await confirmed({
    title: `Take ${nameOf(version)} out of use?`,
    lines: [
      "Its passages are found no more unless somebody asks for retired ones.",
      "Nothing is deleted; it can be put in force again.",
    ],
    action: "Take out of use",
  });
  return sure ? askJson(`/v1/versions/${version.id}/retire`, { method: "POST" }) : undefined;
}

/** Ask, then delete a version for good. Resolves to the receipt. */
export async function removeVersion(version, last) {
  const sure = await confirmed({
    title: `Delete ${nameOf(version)}?`,
    lines: [
      `Its file, ${extent(version)} go for good, from every index too.`,
      last ? "It is the last version: the guideline goes with it." : "Other versions stay.",
      "Answers that cited it can no longer be checked. To hide it only, take it out of use instead.",
    ],
    action: `Delete version ${version.number}`, danger: true,
  });
  return sure ? askJson(`/v1/versions/${version.id}`, { method: "DELETE" }) : undefined;
}

/** Ask, then delete a guideline with all versions for good. Resolves to the receipt. */
export async function removeDocument(detail) {
  const passages = detail.versions.reduce((sum, one) => sum + one.passage_count, 0);
  const number = counted(detail.versions.length, "version");
  const files = detail.versions.length === 1 ? "its file" : "their files";
  const sure = await confirmed({
    title: `Delete the guideline “${detail.source.title}”?`,
    lines: [
      `Its ${number} with ${counted(passages, "passage")} and ${files} go for good, from every index too.`,
      "Answers that cited it can no longer be checked. To hide it only, take its version out of use instead.",
    ],
    action: "Delete the guideline", danger: true,
  });
  return sure ? askJson(`/v1/documents/${detail.id}`, { method: "DELETE" }) : undefined;
}

/** A dialog to correct what is known of a version's source. `save` gets the whole source anew and may raise. */
export function describe(version, save, failed) {
  const fields = sourceFields(version.source, { needed: true });
  const problems = element("div", { "aria-live": "polite" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const form = element("form", {},
    element("h2", { id: "describe" }, `Source of ${nameOf(version)}`),
    element("p", { class: "quiet small" }, "All of it is written anew: what is empty here is unknown from then on."),
    fields.node,
    element("div", { class: "row" }, element("button", { class: "main" }, "Save"), cancel), problems);
  const dialog = element("dialog", { "aria-labelledby": "describe", class: "broad" }, form);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await save(fields.read());
      dialog.close();
    } catch (error) {
      problems.replaceChildren(failed(error));
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
