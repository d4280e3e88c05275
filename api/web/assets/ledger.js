// Everything an answer rests on, cited or not, in one list.

import { askPicture } from "./api.js";
import { element } from "./dom.js";
import { pages, score, standingBadge } from "./words.js";

const EXCERPT = 110;

/** The list of evidence. A case shows its picture where its licence allows that. */
export function ledger(answer, open) {
  if (answer.ledger.length === 0) return null;
  const cited = new Set((answer.report ?? []).flatMap((one) => one.citations.map((each) => each.evidence)));
  return element(
    "section", { class: "card", "aria-labelledby": "ledger-title" },
    element("h3", { id: "ledger-title" }, `Evidence (${answer.ledger.length})`),
    element("ul", { class: "ledger" }, answer.ledger.map((one) => entry(one, cited.has(one.key), open))),
  );
}

/** Whether the service may show what a case looks like. */
export function mayShow(item) {
  return item.kind === "case" && item.picture !== null && item.picture !== "";
}

function entry(item, cited, open) {
  const button = element(
    "button", { type: "button", class: "entry", "data-key": item.key },
    item.kind === "case" ? small(item) : element("span", { class: "sheet-icon", "aria-hidden": "true" }),
    element(
      "span", { class: "said" },
      element("span", {}, element("strong", {}, item.key), " ", item.kind === "case" ? item.label : item.title, " ", standingBadge(item.standing),
        cited && element("span", { class: "badge good" }, "cited")),
      element("span", { class: "small quiet" }, told(item)),
    ),
  );
  button.addEventListener("click", () => open(item.key, null, button));
  return element("li", {}, button);
}

function told(item) {
  if (item.kind === "case") return `reference case, similarity ${score(item.scores.picture ?? item.score)}${mayShow(item) ? "" : ", its licence forbids showing it"}`;
  const text = item.text.length > EXCERPT ? `${item.text.slice(0, EXCERPT)}…` : item.text;
  return `${pages(item.first_page, item.last_page)}: ${text}`;
}

function small(item) {
  const frame = element("span", { class: "small-picture", "aria-hidden": "true" });
  if (mayShow(item)) {
    askPicture(`/v1/cases/${encodeURIComponent(item.id)}/picture`)
      .then((address) => {
        const image = element("img", { src: address, alt: "", width: 52, height: 52 });
        image.addEventListener("load", () => URL.revokeObjectURL(address));
        frame.append(image);
      })
      .catch(() => {}); // the pane says why
  }
  return frame;
}
