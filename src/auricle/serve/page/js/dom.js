/**
 * Makes elements. Text always goes in as text nodes, never as HTML: names of files and labels are not to be trusted.
 *
 * @typedef {Node | string | number | null | undefined | false | any[]} Child lists may nest
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * `h("button.primary", {onclick: save}, "Save")`: properties starting with "on" are listeners, "style" and "dataset"
 * are objects, everything else is an attribute (true = present, false or null = absent).
 *
 * @param {string} selector tag with classes, e.g. "p.muted"
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {any} the element
 */
export function h(selector, props = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = /** @type {any} */ (document.createElement(tag));
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") setStyle(element, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Sets styles through the object model, which a strict content policy allows; custom properties too. */
export function setStyle(/** @type {HTMLElement} */ element, /** @type {Record<string, any>} */ styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, String(value));
}

/** Replaces everything inside `parent`. */
export function fill(/** @type {Element} */ parent, /** @type {(Child | Child[])[]} */ ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

function append(/** @type {Element} */ parent, /** @type {(Child | Child[])[]} */ children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

const ICONS = {
  search: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13Zm9.500 3-4.900-4.900",
  mic: "M12 3.500a2.500 2.500 0 0 0-2.500 2.500v5a2.500 2.500 0 0 0 5 0V6A2.500 2.500 0 0 0 12 3.500ZM6 11a6 6 0 0 0 12 0M12 17v3.500",
  file: "M12 15.500V4.500m0 0L7.500 9M12 4.500 16.500 9M4.500 15v3a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-3",
  play: "M8 5.500v13l10.500-6.500Z",
  pause: "M8.500 5.500v13M15.500 5.500v13",
  stop: "M7 7h10v10H7Z",
  loop: "M17 4.500 19.500 7 17 9.500M19 7H8a3.500 3.500 0 0 0-3.500 3.500v1M7 19.500 4.500 17 7 14.500M5 17h11a3.500 3.500 0 0 0 3.500-3.500v-1",
  plus: "M12 5.500v13M5.500 12h13",
  minus: "M5.500 12h13",
  close: "M6.500 6.500l11 11M17.500 6.500l-11 11",
  check: "M5 12.500l4.500 4.500L19 7.500",
  list: "M9 6.500h10.500M9 12h10.500M9 17.500h10.500M4.500 6.500h.01M4.500 12h.01M4.500 17.500h.01",
  map: "M6 8h.01M9.500 15h.01M13 6h.01M18 9h.01M16.500 16.500h.01M5.500 18h.01M12 11h.01M18.500 4.500h.01M12.500 19h.01",
  library: "M5 5v14M9.500 5v14M14 5.500l4.500 13M3.500 19.500h17",
  teach: "M12 4 2.500 8.500 12 13l9.500-4.500ZM6.500 10.800V16c3 2.500 8 2.500 11 0v-5.200M21.500 8.500V14",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4 7 7 0 0 0 20 14.500Z",
  auto: "M12 3.500a8.500 8.500 0 1 0 0 17ZM12 3.500a8.500 8.500 0 0 1 0 17",
  help: "M9.300 9.300a2.800 2.800 0 1 1 4 2.600c-.9.500-1.300 1-1.300 2.100M12 17.500h.01M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17Z",
  save: "M7 4.500h10v15.500l-5-4-5 4Z",
  download: "M12 4.500v11m0 0 4.500-4.500M12 15.500 7.500 11M4.500 19.500h15",
  undo: "M8.500 5 4.500 9l4 4M5 9h8.500a5.500 5.500 0 0 1 0 11H9",
  pencil: "M4.500 19.500l1-4.500L16 4.500l3.500 3.500L9 18.500ZM13.500 7l3.500 3.500",
  box: "M4.500 9V5.500A1 1 0 0 1 5.500 4.500H9M15 4.500h3.500a1 1 0 0 1 1 1V9M19.500 15v3.500a1 1 0 0 1-1 1H15M9 19.500H5.500a1 1 0 0 1-1-1V15",
  lasso: "M12 5c4.700 0 8.500 2.200 8.500 5s-3.800 5-8.500 5-8.500-2.200-8.500-5S7.300 5 12 5ZM7 14.200c-1.500 1-1.300 3 .5 3s2 2 .5 3",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7",
  folder: "M3.500 18V6.500a1 1 0 0 1 1-1H9l2 2.500h8.500a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1h-15a1 1 0 0 1-1-1Z",
  sound: "M4.500 9.500v5H8l4.500 4v-13l-4.500 4ZM16 9a4.200 4.200 0 0 1 0 6M18.500 6.500a7.800 7.800 0 0 1 0 11",
  fit: "M3.500 12h17M3.500 12 7 8.500M3.500 12 7 15.500M20.500 12 17 8.500M20.500 12 17 15.500",
};

/** A 24 × 24 line drawing, hidden from screen readers: the button it stands in carries the words. */
export function icon(/** @type {keyof typeof ICONS} */ name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon and no visible words.
 * @param {keyof typeof ICONS} name
 * @param {string} label what it does
 * @param {Record<string, any>} [props]
 */
export function iconButton(name, label, props = {}) {
  return h("button.quiet.square", { type: "button", "aria-label": label, title: label, ...props }, icon(name));
}
