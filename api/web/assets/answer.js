// An answer: the diagnosis or why there is none, the voices side by side, what is degraded, the report and the evidence.

import { element } from "./dom.js";
import { ledger } from "./ledger.js";
import { marks, narrative, report } from "./report.js";
import { duration, percent, shownLabel } from "./words.js";

const SHOWN = 5;
const REASONS = {
  picture_unusable: "a picture cannot be used", no_reference_cases: "nothing to compare with", undecided: "undecided",
  out_of_domain: "unlike all reference cases", conflict: "the voices contradict each other", unparsed: "no readable answer",
  outside_labels: "outside the known labels", no_group: "no group",
};

/** The parts of an answer, in the order in which they are read. `open(key, citation, mark)` opens a piece of evidence. */
export function shownAnswer(answer, { asked, open }) {
  const found = answer.outcome === "diagnosis" ? diagnosis(answer, open) : abstention(answer, open);
  return [
    asked, found, warnings(answer), voices(answer), report(answer, open), narrative(answer, open),
    ledger(answer, open), account(answer), element("p", { class: "small quiet" }, answer.notice),
  ];
}

/** The answer in one sentence, for those who hear it. */
export function saidAnswer(answer) {
  if (answer.outcome === "abstention") return `No diagnosis. ${answer.explanation} ${answer.helps}`;
  const [first] = answer.candidates;
  const { verified, total } = answer.citations;
  return `First of the candidates: ${shownLabel(first)}, ${percent(first.probability)}. ${verified} of ${total} quotes hold.`;
}

function diagnosis(answer, open) {
  const { verified, total } = answer.citations;
  const tone = verified === total ? "good" : "warn";
  return element(
    "section", { class: "card", "aria-labelledby": "candidates-title", "data-outcome": "diagnosis" },
    element(
      "div", { class: "row apart" },
      element("h3", { id: "candidates-title" }, "Ranked candidates"),
      element("span", { class: `badge ${tone}` }, `${verified} of ${total} quotes verified`),
    ),
    candidates(answer.candidates, open),
    element("p", { class: "small quiet" }, calibration(answer)),
  );
}

function abstention(answer, open) {
  return element(
    "section", { class: "card declined", "aria-labelledby": "declined-title", "data-outcome": "abstention" },
    element(
      "div", { class: "row apart" },
      element("h3", { id: "declined-title" }, "No diagnosis"),
      element("span", { class: "badge warn", "data-reason": answer.reason }, REASONS[answer.reason] ?? answer.reason.replaceAll("_", " ")),
    ),
    element("p", {}, answer.explanation),
    element("p", {}, element("strong", {}, "What would help: "), answer.helps),
    answer.considered.length > 0 && [
      element("h4", {}, "Considered, and found too light"), candidates(answer.considered, open),
    ],
  );
}

function calibration(answer) {
  const model = answer.opinions.disease;
  if (model === null) return "Calibrated on the reference cases; relative to the labels of this knowledge base.";
  if (answer.candidates.every((one) => one.probability === null)) return `${model.profile} cannot say how sure it is.`;
  const calibrated = model.calibrated ? "calibrated" : "not calibrated: read them as an order";
  return `Probabilities of ${model.profile}, ${calibrated}; relative to its labels.`;
}

function candidates(all, open) {
  const rows = all.map((one, place) => candidate(one, place, open));
  if (rows.length <= SHOWN) return element("ol", { class: "candidates" }, rows);
  return [
    element("ol", { class: "candidates" }, rows.slice(0, SHOWN)),
    element(
      "details", {}, element("summary", {}, `${rows.length - SHOWN} more`),
      element("ol", { class: "candidates", start: SHOWN + 1 }, rows.slice(SHOWN)),
    ),
  ];
}

function candidate(one, place, open) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("span", {}));
  bar.firstChild.style.setProperty("width", `${100 * (one.probability ?? 0)}%`);
  return element(
    "li", { class: place === 0 ? "first" : false },
    element("span", { class: "label" }, shownLabel(one), one.group && element("span", { class: "quiet small" }, ` ${one.group}`)),
    element("span", { class: "sure number" }, percent(one.probability)),
    bar,
    one.evidence.length > 0 && element("span", { class: "marks" }, marks(one.evidence, open)),
  );
}

function warnings({ warnings: told, trace }) {
  const kept = Object.entries(trace.excluded).map(([reason, number]) => `${number} (${reason.replaceAll("_", " ")})`);
  if (told.length === 0 && kept.length === 0) return null;
  return element(
    "section", { class: "told", "aria-label": "What to know of this answer" },
    element("p", {}, element("strong", {}, "What to know of this answer")),
    element(
      "ul", {}, told.map((one) => element("li", {}, one)),
      kept.length > 0 && element("li", {}, `The leak guard kept reference cases back: ${kept.join(", ")}.`),
    ),
  );
}

/** Who says what, side by side: nothing is hidden where they differ. */
function voices(answer) {
  const { neighbours, disease, group } = answer.opinions;
  if (answer.ledger.length === 0 && !disease && !group) return null; // it never came to that
  const rows = [
    ["Reference cases", neighbours.length ? shownLabel(neighbours[0]) : "none", neighbours[0]?.probability],
    disease && [`Model ${disease.profile}`, disease.stated ?? "named nothing", disease.shares[0]?.probability, aside(disease)],
    group && [`Group, ${group.profile}`, group.stated ?? "named nothing", group.shares[0]?.probability, aside(group)],
    ["Guidelines", ...ofGuidelines(answer)],
  ].filter(Boolean);
  return element(
    "section", { class: answer.reason === "conflict" ? "card conflict" : "card", "aria-labelledby": "voices-title" },
    element("h3", { id: "voices-title" }, "Voices side by side"),
    element("table", {}, element("tbody", {}, rows.map(([who, says, sure, more]) => element(
      "tr", {}, element("th", { scope: "row" }, who), element("td", {}, says, more && element("span", { class: "quiet" }, ` ${more}`)),
      element("td", { class: "number" }, sure === undefined ? "" : percent(sure)),
    )))),
  );
}

function aside({ shares, stated, label_mass: mass }) {
  const first = shares[0]?.label;
  return [first && first !== stated && `(most probable: ${first})`, mass !== null && mass < 0.5 && `(all its labels together: ${percent(mass)})`]
    .filter(Boolean).join(" ");
}

/** What guidelines are quoted for; they are read for the report and have no vote. */
function ofGuidelines(answer) {
  const kinds = new Map(answer.ledger.map((one) => [one.key, one.kind]));
  const quoted = new Map();
  for (const { about, citations, verdict } of answer.report ?? []) {
    const held = verdict !== "unsupported" && citations.some((one) => kinds.get(one.evidence) === "passage");
    if (held) quoted.set(about, (quoted.get(about) ?? 0) + 1);
  }
  if (quoted.size === 0) return ["quoted for nothing", undefined];
  return [[...quoted].map(([label, number]) => `${label} (${number} quoted)`).join(", "), undefined];
}

function account({ trace }) {
  const { configuration, timings_ms: timings, stages } = trace;
  const encoders = Object.entries(configuration.encoders ?? {}).map(([space, one]) => `${space}: ${one.card}`);
  const facts = [
    ["Version", `${configuration.version}, configuration ${configuration.configuration}`],
    ["Encoders", encoders.join(", ")],
    ["Index", configuration.index?.generation],
    ["Models", stages.map((one) => `${one.stage}: ${one.model}, ${one.requests} requests`).join("; ")],
    ["Kept back", Object.entries(trace.excluded_ids).map(([reason, ids]) => `${reason}: ${ids.join(", ")}`).join("; ")],
    ["Remembered as", trace.kept_as],
    ["Time", Object.entries(timings).map(([step, ms]) => `${step.replaceAll("_", " ")} ${duration(ms)}`).join(", ")],
  ].filter(([, value]) => value);
  return element(
    "details", { class: "card account" }, element("summary", {}, "How this answer came about"),
    element("dl", { class: "facts" }, facts.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    element(
      "details", {}, element("summary", {}, "Everything in force"),
      element("pre", { tabindex: "0" }, JSON.stringify(configuration, null, 1)),
    ),
  );
}
