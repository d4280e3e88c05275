// A job as it goes on: each file with its pages, what became of it, and the ways to end it or to try again.

import { ask, askEvents, askJson, brokenOff, explained } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { deed } from "./knowledge-page.js";
import { badge, bullets, facts, folded, link } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import { JOB_STATES, PAGE_STATES, deedBy, stateWord } from "./knowledge-words.js";

const ENDS = new Set(["done", "failed", "cancelled"]);
const KINDS = { live: "good", draft: "warn", failed: "bad", done: "good", cancelled: "warn" };

/** Show a job in `region` and follow it to its end. Whoever comes back sees what is, then what comes. */
export async function followJob(region, id) {
  const view = new JobView(await askJson(`/v1/jobs/${id}`), () => followJob(region, id));
  fill(region, view.node);
  try {
    for await (const { name, data } of askEvents(`/v1/jobs/${id}/events`)) {
      if (name === "job") view.move(data);
      if (name === "item") view.moveItem(data);
      if (name === "end") return view.end(data);
    }
    throw brokenOff(); // the server was stopped: the job goes on with its next start
  } catch (error) {
    view.broken(error);
  }
}

export function jobBadge(state) {
  return badge(JOB_STATES[state] ?? state, KINDS[state]);
}

class JobView {
  constructor(job, again) {
    this.job = job;
    this.again = again;
    this.state = element("span", {}, jobBadge(job.state));
    this.tally = element("p", { role: "status" });
    this.actions = element("div", { class: "row actions" });
    this.items = new Map(job.items.map((item) => [item.number, new ItemView(item)]));
    this.outcomes = element("ol", { class: "outcomes" });
    const rows = [...this.items.values()].map((one) => one.cells);
    this.node = element("div", { class: "card stack job" },
      element("div", { class: "row apart" }, this.tally, this.actions),
      facts(["State", this.state], ["Job", link(`/knowledge/jobs/${job.id}`, job.id)], ["Sent", deedBy(job.created_at, job.actor)]),
      table("Files of this job", ["File", "State", "Progress"], rows),
      this.outcomes);
    job.items.forEach((item) => this.moveItem(item));
    this.move(job);
  }

  move(job) {
    this.job = { ...this.job, ...job };
    const ended = ENDS.has(this.job.state);
    fill(this.state, jobBadge(this.job.state), this.job.cancelled && !ended && " ends after the file at hand");
    fill(this.actions, ended ? null : this.#cancel());
    this.#count();
  }

  moveItem(item) {
    const view = this.items.get(item.number);
    const over = view.move(item);
    if (over) this.outcomes.append(element("li", {}, element("h3", {}, item.name), outcomeOf(item.outcome)));
    this.#count();
  }

  end(job) {
    job.items.forEach((item) => this.moveItem(item));
    this.move(job);
    fill(this.actions, this.#retry());
    if (job.message) this.node.append(element("p", { class: "told" }, job.message));
  }

  broken(error) {
    const follow = element("button", { type: "button", onclick: () => this.again() }, "Follow it again");
    this.node.append(explained(error), element("p", {}, "The job goes on without this page. ", follow));
  }

  #count() {
    const all = [...this.items.values()];
    const over = all.filter((one) => one.item.outcome).length;
    const refused = all.filter((one) => one.item.outcome?.state === "refused").length;
    const words = `${over} of ${counted(all.length, "file")} through${refused ? `, ${refused} refused` : ""}`;
    if (this.tally.textContent !== words) fill(this.tally, words);
  }

  #cancel() {
    if (this.job.cancelled) return null;
    const path = `/v1/jobs/${this.job.id}/cancel`;
    return deed("Cancel the job", async () => this.move(await askJson(path, { method: "POST" })));
  }

  #retry() {
    // Of a file that was refused for good nothing is kept, and of what is in nothing is left to do.
    const left = this.job.kind === "ingest_cases" || this.job.items.some((item) => item.file);
    if (!left) return null;
    return deed("Try again", async () => {
      await ask(`/v1/jobs/${this.job.id}/retry`, { method: "POST" });
      await this.again();
    });
  }
}

/** One file: its cells keep their size and place, so that nothing jumps while it moves on. */
class ItemView {
  constructor(item) {
    this.item = { ...item, outcome: null };
    this.state = element("span");
    this.bar = element("progress", { "aria-label": `Pages read of ${item.name}` });
    this.pages = element("span", { class: "small quiet" });
    this.cells = [item.name, this.state, element("div", { class: "pages" }, this.bar, this.pages)];
  }

  /** Show how far it is; whether it came to its end just now. */
  move(item) {
    const over = Boolean(item.outcome) && !this.item.outcome;
    this.item = item;
    fill(this.state, badge(stateWord(item.state), KINDS[item.state]));
    const of = item.page_count;
    const done = item.outcome ? of : item.pages_done;
    this.bar.max = of || 1;
    if (of || item.outcome) this.bar.value = of ? done : 1;
    const ended = item.outcome ? "ended" : "waiting";
    fill(this.pages, of ? `page ${done} of ${of}` : ended);
    return over;
  }
}

/** What became of one file, with what a curator should look at. */
function outcomeOf(outcome) {
  if (outcome.state === "refused") {
    return element("p", {}, outcome.page && `Page ${outcome.page}: `, outcome.message ?? outcome.reason);
  }
  const { id, warnings, without_text: odd } = outcome;
  return [
    element("p", {}, summary(outcome), " ", id && link(`/knowledge/documents/${id}`, "Open the guideline")),
    outcome.version_state === "draft" && element("p", {}, "It is a draft: found once somebody approves it."),
    outcome.supersedes && element("p", {}, "It took the place of the version before."),
    odd.length > 0 && folded(`${counted(odd.length, "page")} to look at`, bullets(odd.map((one) => pageToLookAt(outcome, one)))),
    bullets(warnings, { class: "warnings" }),
  ];
}

function summary(outcome) {
  const words = { added: "Added", unchanged: "It was there already", replaced: "Changed" }[outcome.state] ?? outcome.state;
  const cases = outcome.cases ? [counted(outcome.cases, "case")] : [];
  const passages = outcome.passages ? [`${counted(outcome.passages, "passage")} on ${counted(outcome.pages, "page")}`] : [];
  const rejected = outcome.rejected ? [`${outcome.rejected} rejected`] : [];
  return `${[words, ...passages, ...cases, ...rejected].join(", ")}.`;
}

function pageToLookAt(outcome, page) {
  const words = `Page ${page.page} ${PAGE_STATES[page.state] ?? page.state}`;
  const { version } = outcome;
  const named = version ? link(`/knowledge/versions/${version}?page=${page.page}`, words) : words;
  return [named, page.reason && ` (${page.reason})`];
}

/** The page of one job. */
export function start() {
  const region = find("#job");
  return followJob(region, find("main").dataset.job).catch((error) => fill(region, explained(error)));
}
