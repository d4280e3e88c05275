// The pane beside an answer: the page with the quoted words marked, or the reference picture beside the picture asked about.

import { askJson, askPicture, explained } from "./api.js";
import { element, fill, find } from "./dom.js";
import { mayShow } from "./ledger.js";
import { pageView, showMark } from "./pageview.js";
import { marked, pages, score, standingBadge, verdictBadge } from "./words.js";

const WIDE = matchMedia("(min-width: 72rem)");
const BEHIND = ".top, #question, #answer-section";

/** One pane. It shows one piece of evidence of the answer that it was given last. */
export class EvidencePane {
  #pane = find("#evidence");
  #title = find("#evidence-title");
  #body = find("#evidence-body");
  #answer = null;
  #pictures = [];
  #mark = null;
  #loading = null;

  constructor() {
    this.#pane.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    WIDE.addEventListener("change", () => this.#coverOrStand());
    this.reset();
  }

  /** Forgets what it shows; `pictures` are addresses of the pictures asked about. */
  reset(answer = null, pictures = []) {
    this.#answer = answer;
    this.#pictures = pictures;
    this.#mark = null;
    this.#rest();
  }

  /** Opens evidence by its key, at a citation where there is one. `mark` gets the focus back. */
  async open(key, citation, mark) {
    const item = this.#answer.ledger.find((one) => one.key === key);
    this.#mark = mark;
    this.#loading?.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    this.#choose(key);
    fill(this.#title, `${key} `, element("span", { class: "quiet" }, item.kind === "case" ? "reference case" : "guideline"));
    fill(this.#body, element("p", { class: "quiet" }, "Opening …"));
    this.#pane.dataset.open = "";
    this.#coverOrStand();
    this.#title.focus({ preventScroll: WIDE.matches });
    try {
      const parts = item.kind === "case" ? await this.#case(item, signal) : await this.#passage(item, citation, signal);
      if (!signal.aborted) this.#show(item, parts);
    } catch (error) {
      if (!signal.aborted) this.#show(item, [head(item), explained(error), why(item)]);
    }
  }

  /** Back to the mark from which it was opened. */
  close() {
    const mark = this.#mark;
    this.#loading?.abort();
    this.#rest();
    mark?.focus();
  }

  #rest() {
    delete this.#pane.dataset.open;
    this.#choose(null);
    this.#coverOrStand();
    fill(this.#title, "Evidence");
    fill(this.#body, element("p", { class: "quiet" }, "A mark such as [E3] opens here what it stands for: the page of the "
      + "guideline with the quoted words marked, or the reference picture beside yours."));
  }

  /** Covers the page where there is no room beside it; what is covered cannot be reached meanwhile. */
  #coverOrStand() {
    const covers = !WIDE.matches && "open" in this.#pane.dataset;
    for (const one of document.querySelectorAll(BEHIND)) one.inert = covers;
    document.documentElement.classList.toggle("covered", covers);
  }

  #choose(key) {
    for (const one of document.querySelectorAll("#answer [data-key]")) {
      if (one.dataset.key === key) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
  }

  #show(item, parts) {
    fill(this.#body, this.#tools(item), ...parts);
    this.#pane.scrollTop = 0;
    const figure = this.#body.querySelector("figure.page");
    const warned = item.standing && item.standing !== "in_force"; // that is what must be seen first
    if (figure && !warned) showMark(figure, this.#pane);
  }

  #tools(item) {
    const keys = this.#answer.ledger.map((one) => one.key);
    const at = keys.indexOf(item.key);
    const step = (by, name) => element(
      "button", { type: "button", disabled: !keys[at + by], onclick: () => this.open(keys[at + by], null, this.#mark) }, name,
    );
    return element(
      "div", { class: "row no-print tools" }, step(-1, "Previous"), step(1, "Next"),
      element("button", { type: "button", onclick: () => this.close() }, "Close"),
    );
  }

  async #passage(item, citation, signal) {
    const quotes = this.#quotes(item.key);
    const spans = [{ start: item.start, end: item.end, strong: false }, ...quotes.map(({ start, end }) => ({ start, end, strong: true }))];
    const first = citation?.page ?? quotes[0]?.page ?? item.first_page;
    const frame = element("div", {});
    const turn = async (number) => {
      const view = await pageView({ version: item.version_id, number, title: item.title, spans, signal });
      const other = (to) => turn(to).catch((error) => signal.aborted || fill(frame, explained(error)));
      fill(frame, view.figure, pager(item, number, view.of, other));
    };
    await turn(first);
    return [head(item), quotes.map(quote), frame, why(item)];
  }

  async #case(item, signal) {
    const path = `/v1/cases/${encodeURIComponent(item.id)}`;
    const withheld = !mayShow(item);
    const [known, address] = await Promise.all([askJson(path, { signal }), withheld ? null : askPicture(`${path}/picture`, { signal })]);
    const quotes = this.#quotes(item.key);
    return [
      head(item),
      element("div", { class: "beside" }, this.#pictures.map((one, place) => figure(one, `Picture ${place + 1} of the question`)),
        withheld ? element("p", { class: "told" }, "The licence of this case does not allow showing it. What is left: its id, label and similarity.")
          : figure(address, `Reference case: ${item.label}`)),
      !withheld && element("blockquote", {}, marked(item.text, quotes)),
      quotes.map(({ verdict, problem }) => element("p", { class: "small" }, "Quoted: ", verdictBadge(verdict), problem && ` ${problem}`)),
      facts(item, known),
      why(item),
    ];
  }

  /** What the answer quotes of it, each once. */
  #quotes(key) {
    const all = [...(this.#answer.report ?? []), ...(this.#answer.narrative?.statements ?? [])].flatMap((one) => one.citations);
    const own = all.filter((one) => one.evidence === key);
    return [...new Map(own.map((one) => [`${one.start}-${one.end}`, one])).values()];
  }
}

function head(item) {
  const standing = standingBadge(item.standing);
  return element(
    "div", {},
    element("h3", {}, item.kind === "case" ? item.label : item.title),
    item.kind === "passage" && element("p", { class: "small quiet" }, [...item.section.slice(-1), pages(item.first_page, item.last_page)].join(" · ")),
    standing && element("p", { class: "problem", "data-standing": item.standing }, standing, " This guideline is no longer in force. It was asked for; do not take it as advice."),
    item.role && item.role !== "body" && element("p", {}, element("span", { class: "badge" }, item.role)),
    item.ocr !== null && element("p", { class: "told" }, `Read by text recognition, ${Math.round(100 * item.ocr)} % sure: compare numbers with the page.`),
  );
}

function quote(cited) {
  return element(
    "blockquote", { class: "quote" }, `“${cited.quote}” `, verdictBadge(cited.verdict),
    cited.problem && element("span", { class: "small quiet" }, ` ${cited.problem}`),
  );
}

function figure(address, told) {
  return element("figure", {}, element("img", { src: address, alt: told }), element("figcaption", { class: "small quiet" }, told));
}

function facts(item, known) {
  const rows = [
    ["Group", item.group], ["Skin tone", known.skin_tone], ["Data set", known.dataset], ["Licence", item.licence ?? "not known"],
    ["Id", item.id],
  ].filter(([, value]) => value);
  return element("dl", { class: "facts" }, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function pager(item, number, of, turn) {
  const path = `/v1/documents/${encodeURIComponent(item.version_id)}`;
  const aside = (address, name) => element("a", { href: address, target: "_blank", rel: "noopener", class: "small" }, name);
  return element(
    "div", { class: "row no-print pager" },
    element("button", { type: "button", disabled: number <= 1, onclick: () => turn(number - 1) }, "Page before"),
    element("button", { type: "button", disabled: number >= of, onclick: () => turn(number + 1) }, "Page after"),
    aside(`${path}/pages/${number}/image`, "Page alone"), aside(`${path}/file#page=${number}`, "Whole guideline"),
  );
}

/** Why this evidence: what found it, and what each leg of the search said of it. */
function why(item) {
  const legs = Object.entries(item.scores).map(([leg, value]) => element(
    "tr", {}, element("th", { scope: "row" }, leg), element("td", { class: "number" }, score(value)),
    element("td", { class: "number" }, item.ranks[leg] ?? "–"),
  ));
  return element(
    "details", { class: "why" }, element("summary", {}, "Why this evidence"),
    element("p", { class: "small" }, `Found by: ${item.found_by.join(", ")}. `,
      item.used_in.length > 0 && `Stood in the prompt of: ${item.used_in.join(", ")}.`),
    element(
      "table", {}, element("thead", {}, element("tr", {}, ["Leg", "Score", "Rank"].map((one, place) => element("th", { scope: "col", class: place ? "number" : false }, one)))),
      element("tbody", {}, legs, element("tr", {}, element("th", { scope: "row" }, "together"), element("td", { class: "number" }, score(item.score)), element("td", {}))),
    ),
  );
}
