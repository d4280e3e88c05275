// How far a question has come. Counts only: what an answer says is shown when it has been judged, not before.

import { element, fill, find } from "./dom.js";

const STAGES = [
  ["cases", "Similar cases"], ["group", "Group"], ["disease", "Disease"], ["passages", "Guidelines"], ["report", "Report"],
  ["citations", "Quotes"],
];
const SAID = { waiting: "\u00a0", active: "at work", done: "done", skipped: "left out", stopped: "not done" };

/** The line of stages above the answer. `groups`: whether the service asks a model for the group first. */
export class Progress {
  #list = find("#steps");
  #stages;
  #states = new Map(); // stage -> { state, told }
  #words = 0;

  constructor(groups) {
    this.#stages = STAGES.filter(([name]) => groups || name !== "group");
    this.reset();
  }

  reset() {
    this.#words = 0;
    this.#states = new Map(this.#stages.map(([name]) => [name, { state: "waiting", told: "" }]));
    this.#show();
  }

  begin() {
    this.reset();
    this.#set("cases", "active");
  }

  /** Takes in one event of the answer. */
  heard(name, data) {
    if (name === "evidence") this.#evidence(data.evidence);
    else if (name === "group") this.#set("group", "done", data.group.stated ? "named" : "");
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
    if (passages < items.length || items.length === 0) this.#set("cases", "done", `${items.length - passages} shown`, "disease");
    if (passages) this.#set("passages", "done", `${passages} passages`, "report");
  }

  #checked({ verified, total }) {
    this.#set("report", "done", this.#words ? `${this.#words} words` : "");
    this.#set("citations", "done", `${verified} of ${total} hold`);
  }

  #set(stage, state, told = "", next = null) {
    this.#states.set(stage, { state, told });
    if (next && this.#states.get(next).state === "waiting") this.#states.set(next, { state: "active", told: "" });
    this.#show();
  }

  #end(state) {
    for (const [stage, { state: was }] of this.#states) {
      if (was === "waiting" || was === "active") this.#states.set(stage, { state, told: "" });
    }
    this.#show();
  }

  #show() {
    fill(this.#list, this.#stages.map(([name, title]) => {
      const { state, told } = this.#states.get(name);
      return element(
        "li", { "data-state": state, "aria-current": state === "active" ? "step" : null }, element("span", {}, title),
        element("span", { class: "told-of" }, told || SAID[state]),
      );
    }));
  }
}

function wordsIn(text) {
  return text.split(/\s+/).filter(Boolean).length;
}
