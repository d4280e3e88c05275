// How far a question has come. Counts only: what an answer says is shown when it has been judged, not before.

import { element, fill, find } from "./dom.js";

const STAGES = [
  ["cases", "Similar cases"], ["group", "Group"], ["disease", "Disease"], ["passages", "Guidelines"], ["report", "Report"],
  ["citations", "Quotes checked"],
];

/** The line of stages above the answer. Stages that nobody speaks of are left out when the answer is there. */
export class Progress {
  #list = find("#steps");
  #states = new Map(); // stage -> { state, told }
  #words = 0;

  constructor() {
    this.reset();
  }

  reset() {
    this.#words = 0;
    this.#states = new Map(STAGES.filter(([name]) => name !== "group").map(([name]) => [name, { state: "waiting" }]));
    this.#show();
  }

  begin() {
    this.reset();
    this.#set("cases", "active");
  }

  /** Takes in one event of the answer. */
  heard(name, data) {
    if (name === "evidence") this.#evidence(data.evidence);
    else if (name === "group") this.#set("group", "done", data.group.stated ?? "");
    else if (name === "disease") this.#set("disease", "done", `${data.candidates.length} weighed`, "passages");
    else if (name === "report") this.#set("report", "active", `${(this.#words += wordsIn(data.text))} words`);
    else if (name === "citations") this.#checked(data.citations);
    else if (name === "outcome") this.#end("skipped");
  }

  /** The question failed or was stopped: nothing goes on. */
  fail() {
    this.#end("stopped");
  }

  #evidence(items) {
    const passages = items.filter((one) => one.kind === "passage").length;
    if (passages < items.length || items.length === 0) this.#set("cases", "done", `${items.length - passages}`, "disease");
    if (passages) this.#set("passages", "done", `${passages} passages`, "report");
  }

  #checked({ verified, total }) {
    this.#set("report", "done", this.#words ? `${this.#words} words` : "");
    this.#set("citations", "done", `${verified} of ${total}`);
  }

  #set(stage, state, told = "", next = null) {
    this.#states.set(stage, { state, told });
    if (next && this.#states.get(next).state === "waiting") this.#states.set(next, { state: "active" });
    this.#show();
  }

  #end(state) {
    for (const [stage, { state: was }] of this.#states) {
      if (was === "waiting" || was === "active") this.#states.set(stage, { state });
    }
    this.#show();
  }

  #show() {
    const shown = STAGES.filter(([name]) => this.#states.has(name));
    fill(this.#list, shown.map(([name, title]) => {
      const { state, told } = this.#states.get(name);
      const current = state === "active" ? "step" : null;
      return element(
        "li", { "data-state": state, "aria-current": current }, title,
        told && element("span", { class: "quiet" }, ` ${told}`), element("span", { class: "hidden" }, ` ${state}`),
      );
    }));
  }
}

function wordsIn(text) {
  return text.split(/\s+/).filter(Boolean).length;
}
