/** What the answers may be narrowed by: tags and folders with how many recordings have them, duration, date. */

import { fill, h } from "../dom.js";

const SHOWN = 12;

/**
 * @typedef {{tags: {label: string, files: number}[], folders: {path: string, files: number}[],
 *   duration: {min: number, max: number}, recorded: {min: string | null, max: string | null}}} Facets
 */

/**
 * @param {{change: (query: import("../query.js").Query) => void, hover: boolean, setHover: (on: boolean) => void}} on
 */
export function filterPanel(on) {
  const body = h("div.filters");
  const element = h("details.narrow", {}, h("summary", {}, "Narrow down"), body);
  const wide = matchMedia("(min-width: 1000px)");
  element.open = wide.matches;
  wide.addEventListener("change", () => (element.open = wide.matches));
  /** @type {Facets | null} */
  let facets = null;
  /** @type {import("../query.js").Query} */
  let query;

  function show(/** @type {import("../query.js").Query} */ next, /** @type {Facets | null} */ known = facets) {
    const focused = /** @type {HTMLElement | null} */ (body.querySelector(":focus"))?.dataset.name;
    [query, facets] = [next, known];
    const { filters } = query;
    const filter = (/** @type {any} */ facts) => on.change({ ...query, filters: { ...filters, ...facts } });
    fill(
      body,
      facets && facets.tags.length > 0 && facet("Heard in it", facets.tags.map(({ label, files }) => ({
        text: label,
        files,
        pressed: filters.tags.includes(label),
        toggle: () => filter({ tags: filters.tags.includes(label) ? filters.tags.filter((t) => t !== label) : [...filters.tags, label] }),
      }))),
      facets && facets.folders.length > 1 && facet("Folder", facets.folders.map(({ path, files }) => ({
        text: path,
        files,
        pressed: filters.folder === path,
        toggle: () => filter({ folder: filters.folder === path ? "" : path }),
      }))),
      group("Length in seconds",
        field("from", { type: "number", min: 0, step: "any", value: filters.min_duration }, (v) => filter({ min_duration: v })),
        field("to", { type: "number", min: 0, step: "any", value: filters.max_duration }, (v) => filter({ max_duration: v }))),
      facets?.recorded?.min && group("Recorded",
        field("since", { type: "date", value: filters.after }, (v) => filter({ after: v })),
        field("until", { type: "date", value: filters.before }, (v) => filter({ before: v }))),
      h("div.checks", {},
        check("One hit per recording", query.single, (single) => on.change({ ...query, single })),
        check("Play when the mouse rests on a hit", on.hover, (hover) => on.setHover((on.hover = hover)))),
    );
    const again = focused && body.querySelector(`[data-name="${CSS.escape(focused)}"]`);
    if (again) /** @type {HTMLElement} */ (again).focus();
  }

  return { element, show };
}

/** @param {string} title @param {{text: string, files: number, pressed: boolean, toggle: () => void}[]} choices */
function facet(title, choices) {
  const button = (/** @type {typeof choices[number]} */ c) =>
    h("button.facet", { type: "button", "aria-pressed": String(c.pressed), onclick: c.toggle, dataset: { name: `${title} ${c.text}` }, title: c.text },
      h("span", {}, c.text), h("span.files", {}, c.files.toLocaleString("en")));
  const shown = choices.filter((c, i) => i < SHOWN || c.pressed);
  const list = h("div.facets", {}, shown.map(button));
  const more = choices.length > shown.length && h("button.quiet.more", { type: "button", onclick: () => {
    fill(list, choices.map(button));
    more.remove();
    /** @type {HTMLElement} */ (list.children[shown.length])?.focus();
  } }, `All ${choices.length}`);
  return h("section", {}, h("h3", {}, title), list, more);
}

function group(/** @type {string} */ title, /** @type {Element[]} */ ...fields) {
  return h("fieldset", {}, h("legend", {}, title), h("div.pair", {}, fields));
}

function field(/** @type {string} */ label, /** @type {Record<string, any>} */ props, /** @type {(value: string) => void} */ change) {
  const input = h("input", { ...props, dataset: { name: label }, onchange: () => input.checkValidity() && change(input.value) });
  return h("label", {}, h("span", {}, label), input);
}

function check(/** @type {string} */ label, /** @type {boolean} */ on, /** @type {(on: boolean) => void} */ change) {
  const input = h("input", { type: "checkbox", checked: on, dataset: { name: label }, onchange: () => change(input.checked) });
  return h("label.check", {}, input, label);
}
