/** The removable chips under the search box: examples, things to stay away from, filters. */

import { fill, h, icon } from "../dom.js";
import { length, span } from "../format.js";
import { uploaded } from "../uploads.js";

/**
 * @typedef {import("../query.js").Query} Query
 * @typedef {import("../query.js").Example} Example
 */

/**
 * @param {Query} query
 * @param {{api: import("../api.js").Api, change: (query: Query) => void, edit: (kind: "like" | "without", at: number) => void}} on
 * @returns {HTMLElement}
 */
export function chips(query, { api, change, edit }) {
  const without = (/** @type {"like" | "without"} */ kind, /** @type {number} */ at) =>
    change({ ...query, [kind]: query[kind].filter((_, i) => i !== at) });
  const filter = (/** @type {Partial<import("../query.js").Filters>} */ facts) =>
    change({ ...query, filters: { ...query.filters, ...facts } });
  const { filters } = query;

  const made = [
    ...query.like.map((example, i) => exampleChip(api, "like", example, () => edit("like", i), () => without("like", i))),
    ...query.without.map((example, i) => exampleChip(api, "not", example, () => edit("without", i), () => without("without", i))),
    ...filters.tags.map((tag) => chip(`has ${tag}`, () => filter({ tags: filters.tags.filter((other) => other !== tag) }))),
    filters.folder && chip(`in ${filters.folder}`, () => filter({ folder: "" })),
    (filters.min_duration || filters.max_duration) &&
      chip(durations(filters), () => filter({ min_duration: "", max_duration: "" })),
    (filters.after || filters.before) && chip(dates(filters), () => filter({ after: "", before: "" })),
    query.single && chip("one hit per recording", () => change({ ...query, single: false })),
    query.all && chip("however unlikely", () => change({ ...query, all: false })),
    query.hidden.length > 0 && chip(`${query.hidden.length} hidden`, () => change({ ...query, hidden: [] })),
  ].filter(Boolean);
  return h("ul.chips", { "aria-label": "Examples and filters", hidden: made.length === 0 }, made.map((c) => h("li", {}, c)));
}

function exampleChip(
  /** @type {import("../api.js").Api} */ api,
  /** @type {"like" | "not"} */ kind,
  /** @type {Example} */ example,
  /** @type {() => void} */ edit,
  /** @type {() => void} */ remove,
) {
  const name = h("span.text", {}, "…");
  nameOf(api, example).then((text) => (name.textContent = text));
  const range = example.start === undefined ? "" : span(example.start, example.end ?? example.start);
  return h(
    `span.chip.example.${kind}`,
    {},
    h("button.body", { type: "button", title: "Choose the part", onclick: edit },
      h("span.kind", {}, kind === "like" ? "like" : example.weight < 1 ? "less like" : "not like"), name, range && h("span.times", {}, range)),
    removal(name, remove),
  );
}

function chip(/** @type {string} */ text, /** @type {() => void} */ remove) {
  const name = h("span.text", {}, text);
  return h("span.chip", {}, h("span.body", {}, name), removal(name, remove));
}

function removal(/** @type {HTMLElement} */ name, /** @type {() => void} */ remove) {
  const button = h("button.remove", { type: "button", "aria-label": "Remove", onclick: remove }, icon("close"));
  button.addEventListener("focus", () => button.setAttribute("aria-label", `Remove ${name.textContent}`));
  return button;
}

/** @type {Map<string, Promise<string>>} */
const names = new Map();

/** A name to show for an example. */
export function nameOf(/** @type {import("../api.js").Api} */ api, /** @type {Example} */ example) {
  if (example.upload) return Promise.resolve(uploaded(example.upload)?.name ?? "your sound");
  const id = /** @type {string} */ (example.recording);
  if (!names.has(id)) names.set(id, api.recording(id).then(({ name }) => name, () => "a recording that is gone"));
  return /** @type {Promise<string>} */ (names.get(id));
}

function durations(/** @type {import("../query.js").Filters} */ { min_duration: min, max_duration: max }) {
  if (!max) return `longer than ${length(Number(min))}`;
  return min ? `${length(Number(min))} to ${length(Number(max))}` : `shorter than ${length(Number(max))}`;
}

function dates(/** @type {import("../query.js").Filters} */ { after, before }) {
  if (!before) return `since ${after}`;
  return after ? `${after} to ${before}` : `until ${before}`;
}

/** Replaces the chips in `place`. */
export function showChips(/** @type {HTMLElement} */ place, /** @type {Parameters<typeof chips>} */ ...args) {
  fill(place, chips(...args));
}
