// The words of the registry as a curator reads them.

const STATES = {
  received: "waiting", extracting: "being read", indexing: "being indexed", draft: "draft", live: "in force",
  superseded: "superseded", retired: "retired", failed: "refused",
};

export const JOB_STATES = {
  queued: "waiting", running: "at work", done: "done", failed: "failed", cancelled: "cancelled",
};

export const PAGE_STATES = {
  text: "has text", ocr: "read by text recognition: compare its numbers with the page", empty: "is empty",
  image_only: "holds only a picture, and no text was recognised", failed: "could not be read",
};

export const ROLES_OF_TEXT = {
  body: "text", table: "table", caption: "caption", footnote: "footnote", references: "list of references",
};

export const PLACES = {
  registry: "the registry and its log",
  vectors: "the stored vectors",
  index: "every index, of every encoder",
  lexical: "the words that are searched",
  caches: "what the server holds in memory",
  files: "the stored files",
  disk: "every file of registry and indexes, byte by byte",
};

export const TWINS = {
  same_bytes: "same file", same_picture: "same picture", near_duplicate: "near-duplicate", same_lesion: "same lesion",
  same_subject: "same person", same_source: "same source",
};

/** Today where the reader is, as ISO 8601. */
function today() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

/** What a version is worth today: its state, or "expired" where its day has come. */
export function standing(version) {
  const { expires } = version.source;
  return version.state === "live" && expires && expires <= today() ? "expired" : version.state;
}

/** Whether a version in force is due to be looked at again. */
export function reviewDue(version) {
  const { review } = version.source;
  return standing(version) === "live" && Boolean(review) && review <= today();
}

export function stateWord(state) {
  return STATES[state] ?? state;
}

/** A moment (ISO 8601, UTC) in the reader's own time, as 2025-05-04 09:30. */
export function moment(text) {
  if (!text) return "";
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : `${at.toLocaleDateString("sv")} ${at.toLocaleTimeString("sv").slice(0, 5)}`;
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

export function bytes(number) {
  if (number < 1_000) return `${number} bytes`;
  return number < 1_000_000 ? `${Math.round(number / 1_000)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}

/** The first signs of an id; the whole id goes into a title beside it. */
export function short(id) {
  return id.length > 14 ? `${id.slice(0, 12)}…` : id;
}

/** "page 3", "pages 3–4" of a passage. */
export function pagesOf(one) {
  return one.first_page === one.last_page ? `page ${one.first_page}` : `pages ${one.first_page}–${one.last_page}`;
}

/** When something was done and by whom; a dash for what was not. */
export function deedBy(at, who) {
  return at ? `${moment(at)}${who ? ` by ${who}` : ""}` : "–";
}
