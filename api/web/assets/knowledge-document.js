// One guideline with all its versions, and what a curator does with them.

import { askJson, explained } from "./api.js";
import { element, fill, find } from "./dom.js";
import { documentReceipt } from "./knowledge-dialogs.js";
import { deed, given, may, shown, told } from "./knowledge-page.js";
import { badge, bullets, folded, link } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import {
  approve, describe, extent, nameOf, removeDocument, removeVersion, retire, sourceFacts, stateBadges,
} from "./knowledge-version.js";
import { PAGE_STATES, bytes, deedBy, short, stateWord } from "./knowledge-words.js";

const region = find("#document");

async function load() {
  const detail = await askJson(`/v1/documents/${encodeURIComponent(given.document)}`);
  fill(find("#title"), detail.source.title);
  document.title = `${detail.source.title} – Dermacite`;
  return view(detail);
}

function reload() {
  return shown(region, load);
}

function view(detail) {
  const current = detail.versions.find((one) => one.state === "live");
  return [
    element("section", { class: "card", "aria-labelledby": "about" },
      element("div", { class: "row apart" },
        element("h2", { id: "about" }, `Version ${detail.version.number}`), element("p", {}, stateBadges(detail.version))),
      sourceFacts(detail.source), pagesToLookAt(detail),
      element("p", { class: "row" },
        away(`/knowledge/versions/${detail.version.id}`, "Pages and passages"),
        away(`/v1/documents/${detail.version.id}/file`, "The PDF"),
        may("curator") && away(`/knowledge/upload?document=${detail.id}`, "Upload a new version"))),
    element("section", { "aria-labelledby": "versions" },
      element("h2", { id: "versions" }, "Versions"),
      table("Versions, the newest first", ["Version", "State", "Added", "Approved", "Pages and passages", "Actions"],
        [...detail.versions].reverse().map((one) => row(detail, one, current)))),
    detail.versions.length > 1 && compareForm(detail.versions),
    element("section", { class: "row apart", "aria-labelledby": "end" },
      element("h2", { id: "end", class: "hidden" }, "Delete"),
      element("p", { class: "quiet small" }, "Guideline ", element("code", {}, detail.id), ". ",
        may("curator") && link(`/knowledge/audit?item=${detail.id}`, "What was done with it")),
      deed("Delete the guideline …", () => gone(detail, removeDocument(detail)), { danger: true })),
  ];
}

function away(address, words) {
  return element("a", { class: "button", href: address }, words);
}

function pagesToLookAt(detail) {
  const { id, warnings } = detail.version;
  const odd = detail.pages.filter((one) => one.state !== "text");
  const told = (one) => {
    const words = `Page ${one.number} ${PAGE_STATES[one.state] ?? one.state}`;
    return [link(`/knowledge/versions/${id}?page=${one.number}`, words), one.reason && ` (${one.reason})`];
  };
  const list = bullets([...warnings, ...odd.map(told)]);
  return list && folded("Look at these pages and warnings", list);
}

function row(detail, version, current) {
  const name = link(`/knowledge/versions/${version.id}`, `Version ${version.number}`);
  const shownAbove = version.id === detail.version.id && [" ", badge("shown above")];
  return [
    [name, " ", element("code", { class: "quiet small", title: version.id }, short(version.id))],
    [stateBadges(version), shownAbove],
    deedBy(version.created_at, version.added_by),
    deedBy(version.approved_at, version.approved_by),
    `${extent(version)}, ${bytes(version.bytes)}`,
    element("div", { class: "row" }, actions(detail, version, current)),
  ];
}

function actions(detail, version, current) {
  const last = detail.versions.length === 1;
  const approval = version.state === "draft" ? "Approve" : "Bring back";
  const button = (words, work, more = {}) => deed(`${words} …`, work, { label: `${words} version ${version.number}`, ...more });
  return [
    version.state === "live"
      ? button("Retire", () => moved(retire(version), "is retired"))
      : button(approval, () => moved(approve(version, current), "is in force")),
    button("Describe", () => corrected(version)),
    button("Delete", () => gone(detail, removeVersion(version, last), last), { danger: true }),
  ];
}

async function moved(change, words) {
  const version = await change;
  if (!version) return;
  await reload();
  told(`${capital(nameOf(version))} ${words}.`);
}

function corrected(version) {
  describe(version, async (source) => {
    await askJson(`/v1/versions/${version.id}/source`, { method: "PUT", body: source ?? {} });
    await reload();
    told(`The source of ${nameOf(version)} was corrected.`);
  }, explained);
}

async function gone(detail, deletion, all = true) {
  const receipt = await deletion;
  if (!receipt) return;
  const proof = documentReceipt(detail.source.title, receipt);
  fill(region, proof, all ? element("p", {}, link("/knowledge", "To the other guidelines")) : await load());
  proof.focus();
}

function compareForm(versions) {
  const choice = (name, words, chosen) => element("div", { class: "field" },
    element("label", { for: name }, words),
    element("select", { id: name, name }, versions.map((one) =>
      element("option", { value: one.id, selected: one === chosen }, `Version ${one.number}: ${stateWord(one.state)}`))));
  return element("form", { class: "card", action: "/knowledge/compare", "aria-labelledby": "compare" },
    element("h2", { id: "compare" }, "What changed between two versions"),
    element("div", { class: "fields" }, choice("before", "From", versions.at(-2)), choice("after", "To", versions.at(-1))),
    element("button", {}, "Compare"));
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

reload();
