// Guidelines in: files are chosen or dropped, sent as one job, and followed page by page.

import { askJson, explained } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { followJob } from "./knowledge-job.js";
import { done, given, may, say } from "./knowledge-page.js";
import { sourceFields } from "./knowledge-source.js";
import { bytes } from "./knowledge-words.js";

const MOST = Number(given.files);
const LARGEST = Number(given.megabytes) * 1_000_000;
const TOGETHER = Number(given.together) * 1_000_000;

const form = find("#upload");
const input = find("#files");
const zone = find("#drop");
const list = find("#chosen");
const alone = find("#alone");
const send = find("#send");
const fields = sourceFields();

let chosen = [];

function take(files) {
  const known = new Set(chosen.map(keyOf));
  chosen = [...chosen, ...[...files].filter((file) => !known.has(keyOf(file)))];
  input.value = ""; // so that the same file can be chosen again after it was taken away
  show();
}

function keyOf(file) {
  return [file.name, file.size, file.lastModified].join("/");
}

function show() {
  fill(list, chosen.map((file, place) => {
    const fault = faultOf(file);
    const away = { type: "button", class: "plain", "aria-label": `Take ${file.name} away`, onclick: () => drop(place) };
    return element("li", { class: "row apart" },
      element("span", {}, file.name, " ", element("span", { class: "quiet small" }, bytes(file.size)),
        fault && element("span", { class: "fault" }, ` ${fault}`)),
      element("button", away, "Take away"));
  }));
  const problem = chosen.length ? faultOfAll() : "";
  fill(find("#tally"), chosen.length ? problem || `${counted(chosen.length, "file")} to send` : "No file chosen yet.");
  send.disabled = !chosen.length || Boolean(problem) || !may("curator");
  alone.disabled = chosen.length > 1;
  find("#alone-why").hidden = chosen.length <= 1;
}

function drop(place) {
  chosen = chosen.filter((_, number) => number !== place);
  show();
  (list.querySelectorAll("button")[Math.min(place, chosen.length - 1)] ?? input).focus();
}

function faultOf(file) {
  if (file.size > LARGEST) return `is larger than ${given.megabytes} MB, the most for one file.`;
  return file.size === 0 ? "is empty." : "";
}

function faultOfAll() {
  if (chosen.length > MOST) return `At most ${MOST} files go at once; take some away.`;
  if (chosen.some(faultOf)) return "Take away what cannot be sent.";
  const sum = chosen.reduce((all, file) => all + file.size, 0);
  return sum > TOGETHER ? `Together they are larger than ${given.together} MB; send them in parts.` : "";
}

async function submit() {
  const body = new FormData();
  chosen.forEach((file) => body.append("files", file));
  if (find("#draft").checked) body.append("draft", "true");
  if (chosen.length === 1) {
    const source = fields.read();
    if (source) body.append("source", JSON.stringify(source));
    if (find("#document").value) body.append("document", find("#document").value);
  }
  const sent = chosen;
  chosen = [];
  show(); // now, while a change is expected, rather than when the answer comes
  fill(find("#tally"), "Sending …");
  try {
    const job = await askJson("/v1/documents?background=true", { method: "POST", body });
    history.replaceState(null, "", `?job=${job.id}`); // a page that is loaded again follows the same job
    follow(job.id);
  } catch (error) {
    chosen = sent;
    throw error;
  }
}

function follow(id) {
  const region = find("#job");
  find("#progress").hidden = false;
  region.setAttribute("aria-busy", "true");
  followJob(region, id).catch((error) => fill(region, explained(error))).finally(() => region.removeAttribute("aria-busy"));
  find("#progress-title").focus();
}

/** The documents that the file can be a new version of. */
async function offerDocuments() {
  const { documents } = await askJson("/v1/documents");
  const wanted = new URLSearchParams(location.search).get("document");
  const named = ({ title, publisher, edition }) => [title, publisher, edition].filter(Boolean).join(", ");
  find("#document").append(...documents.map((one) =>
    element("option", { value: one.id, selected: one.id === wanted }, `a new version of ${named(one.source)}`)));
}

function listen() {
  input.addEventListener("change", () => take(input.files));
  for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    done(send, submit).then(show);
  });
}

find("#source").append(fields.node);
listen();
show();
offerDocuments().catch((error) => say(explained(error)));
const job = new URLSearchParams(location.search).get("job");
if (job) follow(job);
