// The JSON routes of this very service, and what to tell people where one refuses.

import { element } from "./dom.js";

/** A refusal. `problem` has what RFC 9457 and our own documents say: `title`, `detail`, `reason`, `status`, `errors` ... */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const UNREACHABLE = {
  reason: "unreachable", title: "The service does not answer", status: 0,
  detail: "Check that it still runs (dermacite serve) and that this machine is on its network; then try again.",
};
const CUT = {
  reason: "cut", title: "The answer broke off", status: 0,
  detail: "The connection to the service was lost before the answer was complete. Ask again.",
};

/**
 * The response of one route. `body` that is neither text nor a form is sent as JSON. Raises Refused; an abort by `signal`
 * stays the AbortError that it is.
 */
export async function ask(path, { method = "GET", body, accept = "application/json", signal, headers = {} } = {}) {
  const plain = body === undefined || body instanceof FormData || typeof body === "string";
  const sent = { accept, ...(plain ? {} : { "content-type": "application/json" }), ...headers };
  if (method !== "GET") sent["x-csrf-token"] = token();
  const request = { method, headers: sent, body: plain ? body : JSON.stringify(body), signal, credentials: "same-origin" };
  const response = await reached(fetch(path, request));
  if (!response.ok) throw new Refused(await problemOf(response));
  return response;
}

/** What a route answers as JSON; nothing for an answer without a body. */
export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.status === 204 ? undefined : reached(response.json());
}

/** The bytes that a route answers, as an address for `<img src>`. Give it back with `URL.revokeObjectURL`. */
export async function askPicture(path, options = {}) {
  const response = await ask(path, { accept: "image/*", ...options });
  return URL.createObjectURL(await reached(response.blob()));
}

/** The events of a route that tells what happens: `{ name, data }` one by one, `data` read as JSON. */
export async function* askEvents(path, options = {}) {
  const response = await ask(path, { accept: "text/event-stream", ...options });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reached(reader.read(), CUT);
      if (done) return;
      const parts = (held + value).split(/\r?\n\r?\n/);
      held = parts.pop();
      for (const part of parts) {
        const event = eventOf(part);
        if (event !== null) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // ends the work on the server too
  }
}

/** The refusal of a stream that ended without its last event. */
export function brokenOff() {
  return new Refused(CUT);
}

/** A message that says what went wrong and what mends it. Anything but a refusal is a fault of this page. */
export function explained(error) {
  const problem = error instanceof Refused ? error.problem : { title: "This page failed", detail: "Load it again." };
  if (!(error instanceof Refused)) console.error(error);
  const faults = (problem.errors ?? []).filter((one) => one.detail);
  const several = faults.length > 1 || faults.some((one) => one.field);
  return element(
    "div", { class: "problem", role: "alert", "data-reason": problem.reason },
    element("p", {}, element("strong", {}, problem.title)),
    element("p", {}, problem.status === 401 && location.pathname !== "/sign-in" ? signIn() : problem.detail),
    several && element("ul", {}, faults.map((one) => element("li", {}, where(one), one.detail))),
    problem.retry_after && element("p", {}, `Try again in ${problem.retry_after} s.`),
    problem.instance && element("p", { class: "quiet small" }, `For the operator: ${problem.instance}`),
  );
}

function signIn() {
  const back = encodeURIComponent(location.pathname);
  return ["Your session has ended. ", element("a", { href: `/sign-in?next=${back}` }, "Sign in again"), "."];
}

function where(fault) {
  if (fault.picture) return element("strong", {}, `Picture ${fault.picture}: `);
  return fault.field ? element("strong", {}, `${fault.field}: `) : null;
}

function token() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** Lost connections become refusals. */
async function reached(promise, problem = UNREACHABLE) {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof TypeError ? new Refused(problem) : error;
  }
}

async function problemOf(response) {
  const spare = { title: `The service answered ${response.status}`, detail: "Try again; if it stays so, tell the operator." };
  const after = response.headers.get("retry-after");
  const told = (response.headers.get("content-type") ?? "").includes("json") ? await response.json().catch(() => ({})) : {};
  return { ...spare, ...(after ? { retry_after: Number(after) } : {}), ...told, status: response.status };
}

function eventOf(block) {
  let name = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length === 0 ? null : { name, data: JSON.parse(data.join("\n")) };
}
