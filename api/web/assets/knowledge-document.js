// One guideline with all its versions, and what a curator does with them.

import { askJson, explained } from "./api.js";
import { element, fill, find } from "./dom.js";
import { documentReceipt } from "./knowledge-dialogs.js";
import { badge, deed, given, shown, told } from "./knowledge-page.js";
import { table } from "./knowledge-tables.js";
import { approve, describe, nameOf, removeDocument, removeVersion, retire, sourceFacts, stateBadges } from "./knowledge-version.js";
import { PAGE_STATES, bytes, moment, short } from "./knowledge-words.js";

const region = find("#document");

async function load() {
  const detail = await askJson(`/v1/documents/${encodeURIComponent(given.document)}`);
  fill(find("h1"), detail.source.title);
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
        element("a", { class: "button", href: `/knowledge/versions/${detail.version.id}` }, "Pages and passages"),
        element("a", { class: "button", href: `/v1/documents/${detail.version.id}/file` }, "The PDF"),
        element("a", { class: "button", href: `/knowledge/upload?document=${detail.id}` }, "Upload a new version"))),
    element("section", { "aria-labelledby": "versions" },
      element("h2", { id: "versions" }, "Versions"),
      table("Versions, the newest first", ["Version", "State", "Added", "Approved", "Pages and passages", "Actions"],
        [...detail.versions].reverse().map((one) => row(detail, one, current)))),
    detail.versions.length > 1 && compareForm(detail.versions),
    element("section", { class: "row apart", "aria-labelledby": "end" },
      element("h2", { id: "end", class: "hidden" }, "Delete"),
      element("p", { class: "quiet small" }, "Guideline ", element("code", {}, detail.id), ". ",
        element("a", { href: `/knowledge/audit?item=${detail.id}` }, "What was done with it")),
      deed("Delete the guideline …", () => gone(detail, removeDocument(detail)), { danger: true })),
  ];
}

function pagesToLookAt(detail) {
  const odd = detail.pages.filter((one) => one.state !== "text");
  const warnings = detail.version.warnings;
  if (!odd.length && !warnings.length) return null;
  return element("details", {}, element("summary", {}, "Look at these pages and warnings"),
    element("ul", {},
      warnings.map((one) => element("li", {}, one)),
      odd.map((one) => element("li", {},
        element("a", { href: `/knowledge/versions/${detail.version.id}?page=${one.number}` }, `Page ${one.number} ${PAGE_STATES[one.state] ?? one.state}`),
        one.reason && ` (${one.reason})`))));
}

function row(detail, version, current) {
  const by = (who, at) => at && [moment(at), who && [" by ", who]];
  return [
    [element("a", { href: `/knowledge/versions/${version.id}` }, `Version ${version.number}`), " ",
      element("code", { class: "quiet small", title: version.id }, short(version.id))],
    [stateBadges(version), version.id === detail.version.id && [" ", badge("shown above")]],
    by(version.added_by, version.created_at),
    by(version.approved_by, version.approved_at) || "–",
    `${version.page_count} pages, ${version.passage_count} passages, ${bytes(version.bytes)}`,
    element("div", { class: "row" }, actions(detail, version, current)),
  ];
}

function actions(detail, version, current) {
  const of = (words) => ({ label: `${words} version ${version.number}` });
  const last = detail.versions.length === 1;
  return [
    version.state !== "live" &&
      deed(version.state === "draft" ? "Approve" : "Bring back", () => moved(approve(version, current), "is in force"), of(version.state === "draft" ? "Approve" : "Bring back")),
    version.state === "live" && deed("Retire", () => moved(retire(version), "is retired"), of("Retire")),
    deed("Describe", () => corrected(version), of("Describe")),
    deed("Delete …", () => gone(detail, removeVersion(version, last), last), { danger: true, ...of("Delete") }),
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
  const shownReceipt = documentReceipt(detail.source.title, receipt);
  fill(find("#receipts"), shownReceipt);
  if (all) fill(region, element("p", {}, element("a", { href: "/knowledge" }, "To the other guidelines")));
  else await reload();
  shownReceipt.focus();
}

function compareForm(versions) {
  const options = (chosen) => versions.map((one) => element("option", { value: one.id, selected: one === chosen }, `Version ${one.number} (${one.state})`));
  return element("form", { class: "card", action: "/knowledge/compare", "aria-labelledby": "compare" },
    element("h2", { id: "compare" }, "What changed between two versions"),
    element("div", { class: "fields" },
      element("div", { class: "field" }, element("label", { for: "before" }, "From"), element("select", { id: "before", name: "before" }, options(versions.at(-2)))),
      element("div", { class: "field" }, element("label", { for: "after" }, "To"), element("select", { id: "after", name: "after" }, options(versions.at(-1))))),
    element("button", {}, "Compare"));
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

reload();
