// Who did what to what, and when; the newest first, further back on demand.

import { askJson } from "./api.js";
import { element, find } from "./dom.js";
import { done, shown } from "./knowledge-page.js";
import { link } from "./knowledge-parts.js";
import { line, table } from "./knowledge-tables.js";
import { moment, short } from "./knowledge-words.js";

const AT_ONCE = 100;
const COLUMNS = ["When", "Who", "Did", "To", "Details"].map((name) => ({ name }));
const PAGES = { version: "versions", document: "documents", dataset: "datasets", job: "jobs" };

const form = find("#filter");

function asked(before) {
  const query = new URLSearchParams({ newest_first: "true", limit: AT_ONCE });
  for (const name of ["item", "actor", "action"]) {
    const value = find(`#${name}`).value.trim();
    if (value) query.set(name, value);
  }
  if (before) query.set("before", before);
  return query;
}

async function load() {
  const { entries } = await askJson(`/v1/audit?${asked()}`);
  const made = table("Deeds, the newest first", COLUMNS, entries.map(row), { empty: "Nothing was recorded that fits." });
  return [made, further(made, entries)];
}

function row(entry) {
  const gone = entry.action === "delete" || entry.action === "receipt" || entry.kind === "case";
  const name = [entry.kind, " ", element("code", { title: entry.item }, short(entry.item))];
  const page = !gone && PAGES[entry.kind];
  const to = page ? link(`/knowledge/${page}/${encodeURIComponent(entry.item)}`, name) : name;
  return [moment(entry.at), entry.actor, entry.action, to, details(entry.details)];
}

function details(values) {
  const told = (value) => (Array.isArray(value) ? value.join(", ") : value);
  const words = Object.entries(values).map(([name, value]) => `${name.replaceAll("_", " ")}: ${told(value)}`);
  return words.join("; ") || "–";
}

/** The button for what was before these. */
function further(made, entries) {
  if (entries.length < AT_ONCE) return null;
  const button = element("button", { type: "button" }, "Show earlier ones");
  button.addEventListener("click", () => done(button, async () => {
    const earlier = (await askJson(`/v1/audit?${asked(entries.at(-1).id)}`)).entries;
    made.querySelector("tbody").append(...earlier.map((one) => line(COLUMNS, row(one))));
    button.replaceWith(...[further(made, earlier)].filter(Boolean));
  }));
  return button;
}

find("#item").value = new URLSearchParams(location.search).get("item") ?? "";
form.addEventListener("submit", (event) => {
  event.preventDefault();
  shown(find("#entries"), load);
});
form.addEventListener("reset", () => setTimeout(() => shown(find("#entries"), load)));
shown(find("#entries"), load);
