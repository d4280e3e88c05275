// Statements with their citation marks. Every mark opens the evidence it names.

import { element } from "./dom.js";
import { pages, verdictBadge } from "./words.js";

/** Buttons [E3] that open evidence by its key. */
export function marks(keys, open, citationOf = () => null) {
  return keys.map((key) => {
    const mark = element("button", { type: "button", class: "mark", "data-key": key, "aria-label": `Open evidence ${key}` }, `[${key}]`);
    mark.addEventListener("click", () => open(key, citationOf(key), mark));
    return mark;
  });
}

/** The statements of the report, by what they are about. */
export function report(answer, open) {
  if (!answer.report) return null;
  const ledger = new Map(answer.ledger.map((one) => [one.key, one]));
  const about = [...new Set(answer.report.map((one) => one.about))];
  return element(
    "section", { class: "card report", "aria-labelledby": "report-title" },
    element("h3", { id: "report-title" }, "Report"),
    answer.report.length === 0 && element("p", { class: "quiet" }, "No evidence says anything that could be quoted."),
    about.map((label) => [
      element("h4", {}, label),
      answer.report.filter((one) => one.about === label).map((one) => statement(one, ledger, open)),
    ]),
  );
}

/** What a model wrote about the picture, sentence by sentence with what the evidence says of it. */
export function narrative(answer, open) {
  const told = answer.narrative;
  if (!told) return null;
  const ledger = new Map(answer.ledger.map((one) => [one.key, one]));
  return element(
    "section", { class: "card report", "aria-labelledby": "narrative-title" },
    element("h3", { id: "narrative-title" }, `What ${told.model} writes of the picture`),
    told.guided_by && element("p", { class: "small quiet" }, `It was told “${told.guided_by}” and follows that, even where it is wrong.`),
    told.conflict && element("p", { class: "told" }, told.conflict),
    told.statements.map((one) => statement(one, ledger, open)),
  );
}

function statement(one, ledger, open) {
  const [only] = one.citations;
  const quoted = one.citations.length === 1 && only.quote === one.text;
  return element(
    "div", { class: "statement", "data-verdict": one.verdict },
    element("p", {}, quoted ? `“${one.text}” ` : `${one.text} `, one.citations.map((cited) => mark(cited, open)), !quoted && [" ", verdictBadge(one.verdict)]),
    one.citations.length === 0 && element("p", { class: "small quiet" }, "No evidence was found for it."),
    one.citations.map((cited) => source(cited, ledger.get(cited.evidence), quoted)),
  );
}

function mark(cited, open) {
  return marks([cited.evidence], open, () => cited);
}

function source(cited, item, quoted) {
  const recognised = cited.ocr !== null && `read by text recognition, ${Math.round(100 * cited.ocr)} % sure: compare numbers`;
  const where = item.kind === "case" ? `reference case (${item.label}), ${item.title}` : `${item.title}, ${pages(cited.page, cited.page)}`;
  const standing = item.standing && item.standing !== "in_force" && `${item.standing.replaceAll("_", " ")}: no longer in force`;
  return element(
    "p", { class: "source small quiet" },
    verdictBadge(cited.verdict), " ", !quoted && `${cited.evidence}: “${cited.quote}” `, where,
    standing && [" ", element("span", { class: "badge bad" }, standing)],
    recognised && `; ${recognised}`, cited.problem && `; ${cited.problem}`,
  );
}
