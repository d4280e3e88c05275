// What the pages of the knowledge base share: who may do what, regions that fill, deeds that can fail.

import { explained } from "./api.js";
import { element, fill, find } from "./dom.js";

const LADDER = ["reader", "researcher", "curator", "admin"];
const main = find("main");

/** Whether the visitor's role is at least this one. The routes refuse all the same; this only spares the attempt. */
export function may(role) {
  return LADDER.indexOf(main.dataset.role) >= LADDER.indexOf(role);
}

/** What a template told this page about what it shows. */
export const given = main.dataset;

/** Fill a region with what `work` gives, or with what went wrong and mends it. */
export async function shown(region, work) {
  region.setAttribute("aria-busy", "true");
  try {
    fill(region, await work());
  } catch (error) {
    fill(region, explained(error));
  }
  region.hidden = false; // where its heading would move it, it is hidden until now
  region.removeAttribute("aria-busy");
}

/** A button for a deed of curators; with a lower role it is there, cannot be pressed, and says why. */
export function deed(words, work, { danger = false, main: first = false, role = "curator", label } = {}) {
  const allowed = may(role);
  const button = element("button", {
    type: "button", class: danger ? "danger" : first && "main", "aria-label": label, disabled: !allowed,
    title: allowed ? undefined : `Needs the role ${role}; yours is ${main.dataset.role}.`,
  }, words);
  button.addEventListener("click", () => done(button, work));
  return button;
}

/** Do something that can fail: the button waits meanwhile, and a refusal is shown. */
export async function done(button, work) {
  fill(find("#messages"));
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(explained(error));
  } finally {
    button.disabled = false;
  }
}

/** Say what was done. */
export function told(...words) {
  say(element("p", { class: "told calm" }, words));
}

/** Show a message over the page, so that nothing on it jumps; screen readers hear it. */
export function say(message) {
  const messages = find("#messages");
  const close = element("button", { type: "button", class: "plain", onclick: () => fill(messages) }, "Close");
  fill(messages, message, close);
  // The button that was pressed is gone where the page shows something else now.
  if (document.activeElement === null || document.activeElement === document.body) close.focus();
}
