// The pictures of a question: chosen, dropped, pasted or taken. They stay in this page until they are asked about.

import { counted, element, fill, find } from "./dom.js";

const MEGABYTE = 1_000_000;

/** Holds the pictures and shows them small. `changed` is called with how many there are. */
export class Pictures {
  #held = []; // { file, url, fault }
  #changed;
  #most;
  #megabytes;
  #list = find("#thumbnails");
  #told = find("#pictures-told");

  constructor(most, megabytes, changed) {
    this.#most = most;
    this.#megabytes = megabytes;
    this.#changed = changed;
    this.#listen();
    this.#show();
  }

  get count() {
    return this.#held.length;
  }

  /** The bytes, in their order. */
  get files() {
    return this.#held.map((one) => one.file);
  }

  /** Adds files, as many as there is room for; says which were left out. */
  add(files) {
    const said = [];
    for (const file of files) {
      if (this.count >= this.#most) {
        said.push(`There is room for ${counted(this.#most, "picture")}; the rest was left out.`);
        break;
      }
      if (file.size > this.#megabytes * MEGABYTE) said.push(`A file is larger than ${this.#megabytes} MB and was left out.`);
      else this.#held.push({ file, url: URL.createObjectURL(file), fault: null });
    }
    this.#show();
    fill(this.#told, said.map((one) => element("p", { class: "fault" }, one)));
  }

  /** Marks those that the service could not use; `faults` count from 1. */
  mark(faults) {
    for (const fault of faults) {
      const one = this.#held[fault.picture - 1];
      if (one) one.fault = fault.detail;
    }
    this.#show();
  }

  clear() {
    for (const one of this.#held) URL.revokeObjectURL(one.url);
    this.#held = [];
    fill(this.#told);
    this.#show();
  }

  #listen() {
    const files = find("#files");
    const shot = find("#shot");
    const drop = find("#drop");
    find("#choose").addEventListener("click", () => files.click());
    find("#camera").addEventListener("click", () => shot.click());
    for (const input of [files, shot]) {
      input.addEventListener("change", () => {
        this.add(input.files);
        input.value = ""; // so that the same file can be chosen again
      });
    }
    document.addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) this.add(event.clipboardData.files);
    });
    // Anywhere on the page: a file dropped beside the frame would otherwise replace the page.
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) drop.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer?.files.length) this.add(event.dataTransfer.files);
    });
  }

  #remove(number) {
    const [gone] = this.#held.splice(number - 1, 1);
    URL.revokeObjectURL(gone.url);
    this.#show();
    fill(this.#told);
    (this.#list.querySelectorAll("button")[Math.max(0, number - 2)] ?? find("#choose")).focus();
  }

  /** Empty places are shown too: what comes later moves nothing. */
  #show() {
    const empty = Array.from({ length: this.#most - this.count }, () => element("li", { class: "slot", "aria-hidden": "true" }));
    fill(this.#list, this.#held.map((one, place) => this.#thumbnail(one, place + 1)), empty);
    this.#changed(this.count);
  }

  #thumbnail({ file, url, fault }, number) {
    const told = `Picture ${number}, ${size(file.size)}${fault ? `, refused: ${fault}` : ""}`;
    const image = element("img", { src: url, alt: told, title: told });
    image.addEventListener("error", () => image.replaceWith(element("span", { class: "no-preview", title: told }, "no preview")));
    const remove = { type: "button", class: "plain", "aria-label": `Remove picture ${number}`, onclick: () => this.#remove(number) };
    return element("li", { class: fault ? "bad" : false }, image, element("button", remove, "Remove"));
  }
}

function size(bytes) {
  return bytes < MEGABYTE ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / MEGABYTE).toFixed(1)} MB`;
}
