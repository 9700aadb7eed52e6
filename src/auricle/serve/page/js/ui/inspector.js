/** The panel beside the stage: the chosen event or region and what can be done with it, and everything people said. */

import { fill, h, icon, iconButton } from "../dom.js";
import { clock, hertz, span } from "../format.js";
import { href } from "../router.js";
import { open } from "./dialog.js";

const SIGNS = /** @type {const} */ ({ confirmed: "check", rejected: "close", renamed: "pencil", drawn: "box" });

/**
 * @typedef {import("../annotations.js").Item} Item
 * @typedef {import("./stage.js").Region} Region
 * @typedef {{confirm: () => void, reject: () => void, rename: () => void, remove: (label: import("../api.js").Label) => void,
 *   undo: () => void, save: () => void, teach: () => void, name: () => void, goTo: (item: Item) => void}} Acts
 */

/**
 * @param {import("../api.js").Api} api
 * @param {import("../api.js").Recording} recording
 * @param {Acts} acts
 */
export function inspector(api, recording, acts) {
  const top = h("section.selected", { "aria-label": "Selection" });
  const said = h("section.said", { "aria-label": "Labels" });
  const element = h("aside.inspector", {}, top, said);

  function showItem(/** @type {Item | null} */ item, /** @type {Region | null} */ region) {
    if (item) return fill(top, itemHead(item), judgement(item, acts), links(api, recording, item, acts));
    if (!region) {
      return fill(top, h("h2", {}, "Nothing selected"), h("p.muted", {}, "Click the spectrogram to play from there. Drag to choose a region. ",
        h("kbd", {}, "j"), " and ", h("kbd", {}, "k"), " step through the events."));
    }
    fill(
      top,
      h("h2", {}, "Region"),
      h("p.times", {}, span(region.start, region.end), bounds(region)),
      h("div.row", {}, h("button.primary", { type: "button", onclick: acts.name }, icon("pencil"), "Name it")),
      links(api, recording, region, acts),
    );
  }

  function showLabels(/** @type {Item[]} */ items) {
    const labelled = items.filter(({ label }) => label);
    fill(
      said,
      h("div.heading", {}, h("h2", {}, "Your labels"), h("button.quiet", { type: "button", onclick: acts.undo, title: "Undo (u)" }, icon("undo"), "Undo")),
      labelled.length
        ? h("ul.labels", {}, labelled.map((item) => labelRow(item, acts)))
        : h("p.muted", {}, "Confirm, reject or rename an event, or draw a region: it stays in the library, and the machine's own events are never changed."),
    );
  }

  return { element, showItem, showLabels };
}

function itemHead(/** @type {Item} */ item) {
  const was = item.event && item.event.label !== item.name ? `, heard as ${item.event.label}` : "";
  const sure = item.event ? `score ${item.event.score.toFixed(2)}${was}` : "drawn by hand";
  return [h("h2", {}, item.name), h("p.times", {}, span(item.start, item.end), bounds(item)), h("p.muted", {}, sure)];
}

function judgement(/** @type {Item} */ item, /** @type {Acts} */ acts) {
  const verdict = item.label?.verdict;
  const button = (/** @type {any} */ name, key, label, pressed, run) =>
    h("button", { type: "button", "aria-pressed": pressed, onclick: run, title: `${label} (${key})` }, icon(name), label);
  return h(
    "div.row.judge",
    {},
    item.event && button("check", "c", "Confirm", String(verdict === "confirmed"), acts.confirm),
    item.event && button("close", "x", "Reject", String(verdict === "rejected"), acts.reject),
    button("pencil", "r", "Rename", null, acts.rename),
  );
}

/** @param {import("../api.js").Api} api @param {import("../api.js").Recording} recording @param {{start: number, end: number}} stretch @param {Acts} acts */
function links(api, recording, { start, end }, acts) {
  const alike = href("search", "", { like: `r.${recording.id}@${start.toFixed(2)}-${end.toFixed(2)}` });
  const stem = recording.name.replace(/\.[^.]*$/, "");
  const file = `${stem} ${clock(start).replace(":", ".")}-${clock(end).replace(":", ".")}.wav`;
  return h(
    "div.links",
    {},
    h("a", { href: alike }, icon("search"), "More like this"),
    h("button.quiet", { type: "button", onclick: acts.save }, icon("save"), "Save to a collection"),
    h("button.quiet", { type: "button", onclick: acts.teach }, icon("teach"), "Teach this sound"),
    h("a", { href: api.audioUrl(recording.id, { start, end }), download: file }, icon("download"), "Download as WAV"),
  );
}

function labelRow(/** @type {Item} */ item, /** @type {Acts} */ acts) {
  const label = /** @type {import("../api.js").Label} */ (item.label);
  const sign = SIGNS[label.verdict];
  return h(
    `li.${label.verdict}`,
    {},
    h("button.quiet.goto", { type: "button", onclick: () => acts.goTo(item) }, icon(sign), h("span.text", {}, label.label), h("span.times", {}, clock(label.start)),
      h("span.unseen", {}, label.verdict)),
    iconButton("trash", `Remove ${label.label}`, { onclick: () => acts.remove(label) }),
  );
}

function bounds(/** @type {{low: number | null, high: number | null}} */ { low, high }) {
  return low === null && high === null ? "" : `, ${hertz(low ?? 0)} – ${high === null ? "top" : hertz(high)}`;
}

/**
 * Asks for a name and the exact bounds of a region.
 * @param {Region} region
 * @param {{duration: number, names: string[]}} facts
 * @returns {Promise<(Region & {label: string}) | null>}
 */
export function askRegion(region, { duration, names }) {
  const field = (label, props) => {
    const input = h("input", props);
    return { input, box: h("label.field", {}, label, input) };
  };
  const seconds = { type: "number", step: "any", min: 0, max: duration, required: true };
  const pitch = { type: "number", step: "any", min: 0, placeholder: "any" };
  const name = field("What is it?", { type: "text", required: true, maxlength: 200, list: "known-names", autocomplete: "off" });
  const start = field("From, seconds", { ...seconds, value: region.start.toFixed(2) });
  const end = field("To, seconds", { ...seconds, value: region.end.toFixed(2) });
  const low = field("Low, Hz", { ...pitch, value: region.low ?? "" });
  const high = field("High, Hz", { ...pitch, value: region.high ?? "" });
  const check = () => end.input.setCustomValidity(Number(end.input.value) > Number(start.input.value) ? "" : "The end must follow the start");
  const form = h(
    "form",
    { method: "dialog", oninput: check },
    h("h2", {}, "New label"),
    name.box,
    h("div.pair", {}, start.box, end.box),
    h("div.pair", {}, low.box, high.box),
    h("datalist", { id: "known-names" }, [...new Set(names)].map((value) => h("option", { value }))),
    h("div.buttons", {}, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), h("button.primary", { value: "ok" }, "Add label")),
  );
  const dialog = open(form, "New label");
  name.input.focus();
  const number = (/** @type {HTMLInputElement} */ { value }) => (value === "" ? null : Number(value));
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? {
      label: name.input.value.trim(),
      start: Number(start.input.value),
      end: Number(end.input.value),
      low: number(low.input),
      high: number(high.input),
    } : null)));
}
