// Questions before something is changed, and the receipts of what was deleted.

import { counted, element } from "./dom.js";
import { PLACES } from "./knowledge-words.js";

/**
 * Ask in a dialog. `lines` say what will happen, `action` names it on the button. Resolves to whether it was confirmed;
 * Escape is no. What is beyond recall has the other button chosen first.
 */
export function confirmed({ title, lines, action, danger = false }) {
  const yes = element("button", { type: "submit", value: "yes", class: danger ? "danger" : "main" }, action);
  const no = element("button", { type: "submit", value: "no" }, "Cancel");
  const dialog = element("dialog", { "aria-labelledby": "question" },
    element("form", { method: "dialog" },
      element("h2", { id: "question" }, title),
      lines.map((line) => element("p", {}, line)),
      element("div", { class: "row" }, no, yes)));
  document.body.append(dialog);
  dialog.showModal();
  (danger ? no : yes).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove(); // the browser has given the focus back to where it was
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** The receipt of a deletion: what went, and each place where its absence was looked for. */
function receiptOf(what, receipt) {
  const proven = new Set(receipt.absent_from);
  const places = Object.entries(PLACES);
  const missing = places.filter(([name]) => !proven.has(name));
  return element("section", { class: "card receipt", tabindex: "-1", "aria-labelledby": "receipt" },
    element("h2", { id: "receipt" }, "Deleted: receipt"),
    element("p", {}, what),
    element("p", {}, "Its absence was looked for afterwards, and found in"),
    element("ul", { class: "places" }, places.filter(([name]) => proven.has(name)).map(([name, words]) =>
      element("li", {}, element("code", {}, name), " ", words))),
    receipt.copies_gone_within_s && element("p", {},
      `Other machines let go of their copies of the index within ${receipt.copies_gone_within_s} seconds, one that is off when it starts.`),
    missing.length > 0 && element("p", { class: "told", role: "alert" },
      `Not proven for: ${missing.map(([, words]) => words).join("; ")}. Run: dermacite doctor`));
}

export function documentReceipt(title, receipt) {
  const what = `${counted(receipt.versions.length, "version")} with ${counted(receipt.passages, "passage")} of “${title}”:`;
  return receiptOf([what, " ", receipt.versions.map((one) => [element("code", {}, one), " "])], receipt);
}

export function casesReceipt(receipt) {
  const what = `${counted(receipt.cases.length, "case")} with ${counted(receipt.pictures, "picture")}`;
  return receiptOf(`${what} of the dataset ${receipt.dataset}`, receipt);
}
