// Elements from texts. Whatever comes from a server or a file becomes text, never markup.

/**
 * An element. `attributes`: `class`, `data-*`, `aria-*` and others by their names in HTML; a function under `onclick` and
 * the like is a listener; `false`, null and undefined are left out, `true` is an attribute without a value.
 * `children`: strings, numbers, elements, or lists of these; null, undefined and false are left out.
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** As `element`, for drawings. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** Replaces everything within `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren(...flat(children));
  return parent;
}

/** The one element that a selector means; a page without it is broken. */
export function find(selector, within = document) {
  const found = within.querySelector(selector);
  if (found === null) throw new Error(`nothing on this page is ${selector}`);
  return found;
}

/** `1 picture`, `2 pictures`. */
export function counted(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...flat(children));
  return made;
}

function flat(children) {
  return children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);
}
