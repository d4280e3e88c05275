// A page of a guideline as a picture, with spans of its text marked on it.

import { askJson, askPicture } from "./api.js";
import { element } from "./dom.js";
import { marked } from "./words.js";

/**
 * A figure of one page. `version` is the id of a version (or document), `spans` are `{ start, end, strong }` in the version's
 * text; strong ones stand out. `title` names the document for those who cannot see the page. Raises Refused.
 */
export async function pageView({ version, number, title, spans = [], signal }) {
  const path = `/v1/documents/${encodeURIComponent(version)}/pages/${number}`;
  const [page, address] = await Promise.all([askJson(path, { signal }), askPicture(`${path}/image`, { signal })]);
  const places = await placesOf(page.version_id, number, spans, signal);
  const image = element("img", { src: address, alt: `Page ${number} of ${title}${places.length ? ", with marks" : ""}` });
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(address); // what is decoded stays
  }
  const sheet = element("div", { class: "sheet" }, image, places.map(rectangle));
  return { figure: figureOf(sheet, page, spans, places.length), of: page.of };
}

/** Brings the first mark of a figure into sight within its scrolling frame. */
export function showMark(figure, frame) {
  const mark = figure.querySelector(".place.strong") ?? figure.querySelector(".place");
  if (mark === null) return;
  const above = mark.getBoundingClientRect().top - frame.getBoundingClientRect().top;
  if (above > frame.clientHeight * 0.7) frame.scrollTop += above - frame.clientHeight / 3;
}

function figureOf(sheet, page, spans, marks) {
  const inside = spans.filter((one) => one.start < page.end && one.end > page.start);
  const lost = inside.length > 0 && marks === 0;
  const read = page.confidence === null ? "" : ` Read by text recognition, ${Math.round(100 * page.confidence)} % sure: compare numbers.`;
  const own = inside.map(({ start, end }) => ({ start: start - page.start, end: end - page.start }));
  return element(
    "figure", { class: "page" }, sheet,
    element("figcaption", { class: "small quiet" }, `Page ${page.number} of ${page.of}.`, read,
      lost && " Where the words stand on the page is not known; the text below has them marked."),
    element("details", {}, element("summary", {}, "Text of this page"), element("p", { class: "page-text" }, marked(page.text, own))),
  );
}

async function placesOf(version, number, spans, signal) {
  const asked = spans.map(async ({ start, end, strong }) => {
    const path = `/v1/versions/${encodeURIComponent(version)}/places?start=${start}&end=${end}`;
    const { places } = await askJson(path, { signal });
    return places.filter((one) => one.page === number).map((one) => ({ ...one, strong }));
  });
  return (await Promise.all(asked)).flat();
}

function rectangle({ left, top, right, bottom, strong }) {
  const made = element("span", { class: strong ? "place strong" : "place" });
  const edges = { left, top, width: right - left, height: bottom - top };
  for (const [edge, fraction] of Object.entries(edges)) made.style.setProperty(edge, `${100 * fraction}%`);
  return made;
}
