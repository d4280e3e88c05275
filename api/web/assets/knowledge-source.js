// What is known of a document's source, as fields of a form.

import { element } from "./dom.js";

const TAG = "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"; // BCP 47, as far as it is used

const FIELDS = [
  { name: "title", label: "Title" },
  { name: "publisher", label: "Publisher" },
  { name: "edition", label: "Edition" },
  { name: "jurisdiction", label: "Jurisdiction", hint: "Where it applies, such as GB" },
  { name: "language", label: "Language", hint: "Such as en or pt-BR; empty: what the text shows", pattern: TAG, max: 35 },
  { name: "licence", label: "Licence", hint: "SPDX id where there is one" },
  { name: "effective", label: "In force from", type: "date" },
  { name: "review", label: "Due for review on", type: "date" },
  { name: "expires", label: "No longer in force from", type: "date" },
  { name: "grade", label: "Grade of evidence", hint: "As its publisher grades it" },
  { name: "url", label: "Address", type: "url", max: 2000, pattern: "https?://\\S+" },
  { name: "tags", label: "Tags", hint: "Several with commas between them" },
];

/**
 * The fields, filled from a source. `read()` gives a source as the API takes it, or null where all is empty; `needed`: it
 * may not be empty.
 */
export function sourceFields(source = {}, { needed = false } = {}) {
  const inputs = new Map();
  const node = element("div", { class: "fields" }, FIELDS.map((one) => {
    const input = element("input", {
      id: `source-${one.name}`, name: one.name, type: one.type ?? "text", pattern: one.pattern, autocomplete: "off",
      maxlength: one.type !== "date" && (one.max ?? 500), value: shown(source[one.name]),
      "aria-describedby": one.hint && `hint-${one.name}`,
    });
    inputs.set(one.name, input);
    return element("div", { class: "field" },
      element("label", { for: input.id }, one.label), input,
      one.hint && element("p", { class: "hint", id: `hint-${one.name}` }, one.hint));
  }));
  inputs.get("title").required = needed;
  node.addEventListener("input", () => checkTitle(inputs));
  return { node, read: () => read(inputs) };
}

function shown(value) {
  return Array.isArray(value) ? value.join(", ") : value ?? "";
}

/** The title may only be missing where nothing else is said. */
function checkTitle(inputs) {
  const title = inputs.get("title");
  const lacks = !title.value.trim() && [...inputs.values()].some((one) => one.value.trim());
  title.setCustomValidity(lacks ? "Say the title too: without it nothing of the source can be kept." : "");
}

function read(inputs) {
  const source = {};
  for (const [name, input] of inputs) {
    const value = input.value.trim();
    if (value) source[name] = name === "tags" ? value.split(",").map((one) => one.trim()).filter(Boolean) : value;
  }
  return Object.keys(source).length ? source : null;
}
