// The page on which somebody asks: from the form to the answer, and what can be done with it.

import { saidAnswer, shownAnswer } from "./answer.js";
import { ask, askEvents, brokenOff, explained, Refused } from "./api.js";
import { asText } from "./astext.js";
import { counted, element, fill, find } from "./dom.js";
import { EvidencePane } from "./evidence.js";
import { optionsOf, resetOptions, toldOptions, watchOptions } from "./options.js";
import { Pictures } from "./pictures.js";
import { Progress } from "./progress.js";

const form = find("#question");
const shown = find("#answer");
const said = find("#said");
const stop = find("#stop");
const { maxPictures, maxMegabytes, groups } = form.dataset;

const pane = new EvidencePane();
const progress = new Progress(groups === "true");
const pictures = new Pictures(Number(maxPictures), Number(maxMegabytes), () => {});
const AGAIN_S = [4, 8, 16]; // waits between looking whether a service that was not ready is

let running = null;
let kept = []; // addresses of the pictures that the shown answer is about

watchOptions();
rest();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  answerQuestion();
});
stop.addEventListener("click", () => running?.abort());
find("#clear").addEventListener("click", clear);

async function answerQuestion() {
  if (running) return;
  if (!mayAsk()) return;
  begin();
  const question = questionOf();
  try {
    show(await told(question, running.signal), question);
  } catch (error) {
    fail(error);
  } finally {
    running = null;
    if (document.activeElement === stop) find("#answer-title").focus();
    stop.disabled = true;
    find("#ask").removeAttribute("aria-disabled");
    shown.removeAttribute("aria-busy");
  }
}

function mayAsk() {
  if (pictures.count === 0) {
    fill(find("#pictures-told"), element("p", { class: "fault" }, "Add at least one picture first."));
    find("#choose").focus();
    return false;
  }
  return form.reportValidity();
}

function begin() {
  running = new AbortController();
  stop.disabled = false;
  find("#ask").setAttribute("aria-disabled", "true");
  forget();
  progress.begin();
  shown.setAttribute("aria-busy", "true");
  fill(shown, element("p", { class: "quiet" }, "The answer stands here when it has been checked."));
  fill(find("#actions"));
  fill(find("#pictures-told"));
  said.textContent = "Asked.";
  if (matchMedia("(max-width: 56rem)").matches) find("#answer-section").scrollIntoView();
}

/** The answer and its FHIR Bundle, with progress told on the way. */
async function told(question, signal) {
  let answer = null;
  let bundle = null;
  for await (const { name, data } of askEvents("/v1/diagnoses", { method: "POST", body: bodyOf(question), signal })) {
    if (name === "error") throw new Refused(data);
    progress.heard(name, data);
    if (name === "fhir") bundle = data;
    if (name === "outcome") answer = data;
  }
  if (answer === null) throw brokenOff();
  return { answer, bundle };
}

function questionOf() {
  const given = new FormData(form);
  const request = { fhir: true };
  for (const name of ["note", "sex", "body_site"]) if (given.get(name).trim()) request[name] = given.get(name).trim();
  if (given.get("age")) request.age = Number(given.get("age"));
  const options = optionsOf();
  return { files: pictures.files, request: Object.keys(options).length ? { ...request, options } : request };
}

function bodyOf({ files, request }) {
  const body = new FormData();
  for (const file of files) body.append("images", file, "picture"); // its own name may be somebody's
  body.append("request", JSON.stringify(request));
  return body;
}

function show({ answer, bundle }, question) {
  kept = question.files.map((file) => URL.createObjectURL(file));
  const line = lineOf(question);
  pane.reset(answer, kept);
  fill(shown, ...shownAnswer(answer, { asked: askedOf(line, question), open: (...what) => pane.open(...what) }));
  said.textContent = saidAnswer(answer);
  fill(find("#actions"), actions(answer, bundle, line));
}

function fail(error) {
  progress.fail();
  if (error.name === "AbortError") {
    said.textContent = "Stopped.";
    fill(shown, element("p", { class: "told calm" }, "Stopped. Nothing was answered."));
    return;
  }
  said.textContent = "";
  fill(shown, explained(error));
  if (error instanceof Refused) pictures.mark((error.problem.errors ?? []).filter((one) => one.picture));
}

/** What was asked, in one line and without the note. */
function lineOf({ files, request }) {
  const parts = [
    counted(files.length, "picture"), request.age !== undefined && `${request.age} years`, request.sex, request.body_site,
    request.note && "with a note", toldOptions(request.options ?? {}), new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  ];
  return `Asked about: ${parts.filter(Boolean).join(", ")}`;
}

/** The question above its answer; on paper with its pictures and note. */
function askedOf(line, { request }) {
  return element(
    "div", { class: "asked" }, element("p", { class: "small quiet" }, line),
    element("div", { class: "on-paper" }, request.note && element("p", {}, request.note), kept.map((one, place) => element("img", { src: one, alt: `Picture ${place + 1}` }))),
  );
}

function actions(answer, bundle, line) {
  const copied = element("button", { type: "button" }, "Copy as text");
  copied.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(asText(answer, line));
      said.textContent = copied.textContent = "Copied";
    } catch {
      said.textContent = copied.textContent = "The browser forbids copying";
    }
    setTimeout(() => { copied.textContent = "Copy as text"; }, 2000);
  });
  const button = (name, onclick) => element("button", { type: "button", onclick }, name);
  return [copied, button("Print", () => window.print()), button("FHIR", () => save(bundle))];
}

/** Saves a Bundle as a file; its name says nothing of the patient. */
function save(bundle) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(bundle, null, 1)], { type: "application/fhir+json" }));
  element("a", { href: address, download: `dermacite-${bundle.id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // when it is saved for certain
}

function clear() {
  running?.abort();
  form.reset();
  resetOptions();
  pictures.clear();
  forget();
  progress.reset();
  fill(find("#actions"));
  said.textContent = "";
  rest();
  find("#choose").focus();
}

function forget() {
  for (const one of kept) URL.revokeObjectURL(one);
  kept = [];
  pane.reset();
}

/** Before anything is asked: whether the service can answer at all. One that only just started is asked again. */
async function rest() {
  const inviting = element("p", { class: "quiet" }, "Add a picture and ask. The answer comes with every piece of evidence it rests on, or says why there is none.");
  const place = element("div", {}, inviting);
  fill(shown, place);
  for (const seconds of AGAIN_S) {
    const told = await unready();
    if (!place.isConnected) return;
    fill(place, told ?? inviting);
    if (told === null) return;
    await new Promise((done) => setTimeout(done, 1000 * seconds));
  }
}

/** What keeps the service from answering, or null. */
async function unready() {
  try {
    await ask("/health/ready");
    return null;
  } catch (error) {
    const problem = error instanceof Refused && error.problem.problem;
    if (!problem) return explained(error);
    return element("div", { class: "told", "data-reason": "not_ready" }, element("p", {}, element("strong", {}, "This service is not ready")), element("p", {}, problem));
  }
}
