// A search as the pipeline does it, with each leg's score and rank, and how the ranking came to be.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { explanationOf } from "./knowledge-explained.js";
import { done } from "./knowledge-page.js";
import { badge, bullets, casePicture, folded, link, part } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import { ROLES_OF_TEXT, pagesOf, percent } from "./knowledge-words.js";

const LEGS = ["Leg", { name: "Score", number: true }, { name: "Rank", number: true }];
const BY = { picture: "Cases like the picture", text: "Cases by caption" };

const form = find("#search");
const picture = find("#picture");
const results = find("#results");

/** The filters as the API takes them; what is empty is left out. */
function filtersOf(inputs) {
  const filters = {};
  for (const input of inputs) {
    const value = input.value.trim();
    const { name } = input;
    if (input.dataset.filter === "choice") {
      if (input.checked) (filters[name] ??= []).push(value);
    } else if (input.dataset.filter === "one") {
      if (value) filters[name] = value;
    } else if (value) {
      filters[name] = value.split(";").map((one) => one.trim()).filter(Boolean);
    }
  }
  return filters;
}

function request() {
  const fusion = find("#fusion").value;
  return {
    text: find("#text").value, k: Number(find("#k").value), rerank: find("#rerank").checked, ...(fusion ? { fusion } : {}),
    filters: filtersOf(form.querySelectorAll("[data-filter]")),
  };
}

async function search() {
  results.setAttribute("aria-busy", "true");
  try {
    const asked = request();
    const [file] = picture.files;
    fill(results, view(file ? await byPicture(file, asked) : await askJson("/v1/search", { method: "POST", body: asked })));
  } catch (error) {
    fill(results);
    throw error;
  } finally {
    results.removeAttribute("aria-busy");
  }
}

function byPicture(file, asked) {
  const body = new FormData();
  body.append("image", file);
  body.append("request", JSON.stringify(asked));
  return askJson("/v1/search/picture", { method: "POST", body });
}

function view(found) {
  const took = Object.entries(found.timings_ms).map(([step, ms]) => `${step.replaceAll("_", " ")} ${Math.round(ms)} ms`);
  const number = `${counted(found.passages.length, "passage")}, ${counted(found.cases.length, "case")}`;
  fill(find("#found"), `${number}; ${took.join(", ")}`);
  return [
    found.warnings.length > 0 && element("div", { class: "told" }, bullets(found.warnings)),
    ranking("Passages", found.passages.map(passage), found.explanations.passages),
    ranking(BY[found.cases_by], found.cases.map(oneCase), found.explanations.cases),
  ];
}

function ranking(title, hits, explanation) {
  const list = element("ol", { class: "hits" }, hits.map((one) => element("li", { class: "card" }, one)));
  return part(title,
    explanation && folded(`How the ${title.toLowerCase()} were found`, explanationOf(explanation)),
    hits.length ? list : element("p", { class: "quiet" }, "Nothing was found."));
}

function passage(hit) {
  const query = new URLSearchParams({ page: hit.first_page, start: hit.start, end: hit.end });
  const marks = [
    hit.standing !== "in_force" && badge(hit.standing, "warn"),
    hit.role && hit.role !== "body" && badge(ROLES_OF_TEXT[hit.role] ?? hit.role),
    hit.ocr !== null && badge(`recognised, ${percent(hit.ocr)} sure`, "warn"),
  ];
  return [
    element("h3", {}, link(`/knowledge/versions/${hit.version_id}?${query}`, `${hit.title}, ${pagesOf(hit)}`)),
    element("p", { class: "quiet small" }, hit.section.join(" › "), " ", marks),
    hit.header && element("p", { class: "quiet small" }, hit.header),
    element("blockquote", {}, hit.text),
    legs(hit),
  ];
}

function oneCase(hit) {
  const withheld = `Its licence does not allow showing it: ${hit.licence ?? "unknown"}`;
  const shown = hit.picture ? casePicture(hit.id, hit.label, 128) : element("p", { class: "quiet small" }, withheld);
  return [
    element("h3", {}, hit.label ?? "no label"),
    element("div", { class: "case" }, shown, element("div", {}, hit.text && element("blockquote", {}, hit.text),
      element("p", { class: "quiet small" }, hit.title, ", ", element("code", {}, hit.id)))),
    legs(hit),
  ];
}

/** The fused score, and what each leg gave. A leg that did not propose the hit has no rank. */
function legs(hit) {
  const rows = Object.entries(hit.scores).map(([leg, score]) => [leg, score.toFixed(3), String(hit.ranks[leg] ?? "–")]);
  return table(`Score ${hit.score.toFixed(3)}; what each leg gave`, LEGS, rows, { cards: false });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("#text");
  text.setCustomValidity(text.value.trim() || picture.files.length ? "" : "Say what to search for, or choose a picture.");
  if (form.reportValidity()) done(find("#send"), search);
});
form.addEventListener("input", () => find("#text").setCustomValidity(""));
form.addEventListener("reset", () => {
  fill(results);
  fill(find("#found"));
});
