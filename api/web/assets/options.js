// The researcher's view: what is switched, as the service takes it. What is left alone is not sent.

import { counted, fill, find } from "./dom.js";

const READ = {
  number: (field) => (field.value === "" ? undefined : Number(field.value)),
  text: (field) => field.value || undefined,
  truth: (field) => (field.value === "" ? undefined : field.value === "true"),
  switch: (field) => (field.checked === (field.dataset.standard === "true") ? undefined : field.checked),
};

/** Says how many are switched, as they are. */
export function watchOptions() {
  const frame = find("#options");
  const tell = () => {
    const number = Object.keys(optionsOf()).length;
    fill(find("#options-changed"), number ? `(${number} switched)` : "");
  };
  frame.addEventListener("input", tell);
  find("#options-reset").addEventListener("click", () => {
    resetOptions();
    tell();
  });
}

export function resetOptions() {
  for (const field of find("#options").querySelectorAll("input, select")) {
    if (field.type === "checkbox") field.checked = field.dataset.standard === "true";
    else field.value = "";
  }
  fill(find("#options-changed"));
}

/** The options of a diagnosis; empty when nothing is switched. */
export function optionsOf() {
  const options = {};
  for (const field of find("#options").querySelectorAll("[data-option]")) {
    const value = READ[field.dataset.kind](field);
    if (value !== undefined) options[field.dataset.option] = value;
  }
  const filters = filtersOf();
  return Object.keys(filters).length ? { ...options, filters } : options;
}

/** What is switched, in words. */
export function toldOptions(options) {
  const number = Object.keys(options).length;
  return number ? `${counted(number, "option")} switched` : null;
}

function filtersOf() {
  const filters = {};
  for (const field of find("#options").querySelectorAll("[data-filter]")) {
    const values = field.value.split(",").map((one) => one.trim()).filter(Boolean);
    if (values.length) filters[field.dataset.filter] = values;
  }
  const also = [...find("#options").querySelectorAll("[data-standing]:checked")].map((one) => one.dataset.standing);
  return also.length ? { ...filters, standing: ["in_force", ...also] } : filters;
}
