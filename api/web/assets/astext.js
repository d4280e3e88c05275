// An answer as plain text, for a record of one's own. The note is not in it.

import { pages, percent, shownLabel } from "./words.js";

/** The text, with every citation written out. `asked` is what was asked, in one line. */
export function asText(answer, asked) {
  const ledger = new Map(answer.ledger.map((one) => [one.key, one]));
  const lines = [answer.notice, "", asked, ""];
  if (answer.outcome === "diagnosis") lines.push("Ranked candidates", ...candidates(answer.candidates), "", ...report(answer, ledger));
  else lines.push(`No diagnosis (${answer.reason})`, `  ${answer.explanation}`, `  What would help: ${answer.helps}`, "", ...considered(answer));
  lines.push(...answer.warnings.map((one) => `! ${one}`));
  const { version, configuration, index } = answer.trace.configuration;
  lines.push(`Dermacite ${version}, configuration ${configuration}, index ${index?.generation ?? "none"}`);
  return lines.join("\n");
}

function candidates(all) {
  return all.map((one, place) => {
    const keys = one.evidence.length ? `  ${one.evidence.join(", ")}` : "";
    return `  ${place + 1}. ${shownLabel(one)}  ${percent(one.probability)}${keys}`;
  });
}

function considered(answer) {
  return answer.considered.length ? ["Considered", ...candidates(answer.considered), ""] : [];
}

function report(answer, ledger) {
  const lines = ["Report"];
  for (const { about, text, citations, verdict } of answer.report) {
    lines.push(`  ${about}: ${text} [${verdict}]`, ...citations.map((one) => `      ${source(one, ledger.get(one.evidence))}`));
  }
  const { verified, total } = answer.citations;
  return [...lines, `Citations verified: ${verified} of ${total}`, ""];
}

function source(cited, item) {
  const standing = item.standing && item.standing !== "in_force" ? `, ${item.standing.toUpperCase()}` : "";
  const where = item.kind === "case" ? `${item.title}, reference case ${item.id}` : `${item.title}, ${pages(cited.page, cited.page)}${standing}`;
  return `[${cited.evidence}] “${cited.quote}” - ${where}: ${cited.verdict}`;
}
