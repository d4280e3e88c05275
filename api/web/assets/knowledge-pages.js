// The pages of one version as they are printed, with the passages that were cut from them laid over.

import { askJson, askPicture, explained } from "./api.js";
import { counted, drawing, element, fill, find } from "./dom.js";
import { given, say } from "./knowledge-page.js";
import { folded, link } from "./knowledge-parts.js";
import { nameOf, stateBadges } from "./knowledge-version.js";
import { PAGE_STATES, ROLES_OF_TEXT, pagesOf, percent } from "./knowledge-words.js";

const version = given.version;
const asked = new URLSearchParams(location.search);
const sheet = find("#sheet");
const beside = find("#passages");
const previous = find("#previous");
const next = find("#next");
const number = find("#number");

let of = 1;
let passages = [];
let chosen = asked.get("passage");
let picture = null; // the address of the picture that is shown
let turn = 0; // pages asked for so far: an older answer must not cover a newer one

async function open() {
  const routes = [`/v1/documents/${version}`, `/v1/versions/${version}/passages`];
  const [detail, all] = await Promise.all(routes.map((one) => askJson(one)));
  passages = all.passages;
  of = detail.version.page_count;
  number.max = of;
  fill(find("#of"), `of ${of}`);
  fill(find("#title"), detail.source.title);
  document.title = `${detail.source.title}, pages – Dermacite`;
  const home = link(`/knowledge/documents/${detail.id}`, `Version ${detail.version.number}`);
  fill(find("#which"), home, " ", stateBadges(detail.version));
  find("#which").title = nameOf(detail.version);
  find("#opened").hidden = false;
  const first = passages.find((one) => one.id === chosen)?.first_page;
  await turnTo(Number(asked.get("page")) || first || 1);
}

async function turnTo(wanted) {
  const page = Math.min(Math.max(1, Math.trunc(wanted) || 1), of);
  const mine = ++turn;
  number.value = page;
  [previous.disabled, next.disabled] = [page === 1, page === of];
  remember(page);
  const path = `/v1/documents/${version}/pages/${page}`;
  const image = askPicture(`${path}/image`).then(withSize).catch((error) => error);
  try {
    const text = await askJson(path);
    if (mine !== turn) return;
    showPassages(text);
    const drawn = await image;
    if (mine !== turn) return;
    if (drawn instanceof Error) fill(sheet, explained(drawn));
    else showSheet(text, drawn);
  } catch (error) {
    if (mine === turn) fill(beside, explained(error));
  }
}

async function withSize(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return { address, width: image.naturalWidth, height: image.naturalHeight };
}

/** The address names the page, so that it can be sent to somebody and opened again. */
function remember(page) {
  const query = new URLSearchParams(location.search);
  query.set("page", page);
  history.replaceState(null, "", `?${query}`);
}

function onPage(text) {
  return passages.filter((one) => one.start < text.end && one.end > text.start);
}

function showSheet(text, { address, width, height }) {
  if (picture) URL.revokeObjectURL(picture);
  picture = address;
  // Fractions of the page become its pixels; sheet and marks scale together, in a frame that does not change its size.
  const marks = (start, end) => placesOf(text.lines, start, end).map(({ left, top, right, bottom }) =>
    drawing("rect", {
      x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height,
    }));
  const passageMarks = (one) => drawing("g", {
    class: "passage", "data-passage": one.id, onclick: () => choose(one.id, true),
  }, marks(one.start, one.end));
  const [start, end] = [Number(asked.get("start")), Number(asked.get("end"))];
  const frame = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Page ${text.number} as it is printed` };
  fill(sheet, drawing("svg", frame,
    drawing("image", { href: address, width, height }),
    onPage(text).map(passageMarks),
    end > start && drawing("g", { class: "quote" }, marks(start, end))));
  markChosen();
}

/** The rectangles of a span of the text, line by line; within a line letters count as equally wide, as in GET .../places. */
function placesOf(lines, start, end) {
  return lines.filter((line) => line.end > start && line.start < end).map((line) => {
    const [width, length] = [line.right - line.left, line.end - line.start];
    return {
      ...line,
      left: line.left + (width * Math.max(0, start - line.start)) / length,
      right: line.right - (width * Math.max(0, line.end - end)) / length,
    };
  });
}

function showPassages(text) {
  const found = onPage(text);
  const sure = text.confidence !== null && ` (it is ${percent(text.confidence)} sure)`;
  const words = [`This page ${PAGE_STATES[text.state] ?? text.state}`, sure, text.reason && `: ${text.reason}`];
  const odd = text.state !== "text" && element("p", { class: "told" }, words);
  const some = `${counted(found.length, "passage")} on this page; choose one to see where it is.`;
  fill(find("#tally"), found.length ? some : "No passage was cut from this page.");
  fill(beside, odd,
    element("ol", { class: "passages" }, found.map((one) => element("li", {}, passage(one)))),
    text.text.trim() && folded("The text of this page", element("pre", {}, text.text)));
  markChosen();
}

function passage(one) {
  const notes = [
    one.section.join(" › "), one.role !== "body" && (ROLES_OF_TEXT[one.role] ?? one.role),
    one.last_page > one.first_page && pagesOf(one), one.ocr !== null && `recognised, ${percent(one.ocr)} sure`,
  ].filter(Boolean);
  const attributes = { type: "button", class: "passage", "data-passage": one.id, "aria-pressed": "false" };
  return element("button", { ...attributes, onclick: () => choose(one.id) },
    notes.length > 0 && element("span", { class: "quiet small" }, notes.join(", ")),
    one.header && element("span", { class: "quiet small" }, one.header),
    element("span", {}, one.text));
}

/** Choose a passage in the list or on the sheet, and bring it into sight on the other. Chosen again in the list, it is not. */
function choose(id, onSheet = false) {
  chosen = chosen === id && !onSheet ? null : id;
  markChosen();
  const button = beside.querySelector(`button[data-passage="${CSS.escape(id)}"]`);
  if (chosen) (onSheet ? button : sheet)?.scrollIntoView({ block: "nearest" });
}

function markChosen() {
  for (const one of document.querySelectorAll("[data-passage]")) {
    const is = one.dataset.passage === chosen;
    one.classList.toggle("chosen", is);
    if (one.matches("button")) one.setAttribute("aria-pressed", String(is));
  }
}

previous.addEventListener("click", () => turnTo(Number(number.value) - 1));
next.addEventListener("click", () => turnTo(Number(number.value) + 1));
find("#turn").addEventListener("submit", (event) => {
  event.preventDefault();
  turnTo(Number(number.value));
});
open().catch((error) => say(explained(error)));
