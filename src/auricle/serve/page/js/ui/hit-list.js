/** Rows of hits with a tile, moved through with the arrow keys; used by search, collections, teach and the map. */

import { fill, h, icon } from "../dom.js";
import { length, span } from "../format.js";
import { bindKeys } from "../keys.js";
import { go, href } from "../router.js";
import { tile } from "./tile.js";

const HOVER_DELAY = 350; // ms of rest before a hit plays by itself

/**
 * @typedef {import("../api.js").Hit} Hit
 * @typedef {{key: string, label: string, icon: any, run: (hit: Hit, row: HTMLElement) => void, class?: string}} Action
 */

/**
 * @param {import("../main.js").App} app
 * @param {{label: string, actions: Action[], onTag?: (label: string) => void}} options
 */
export function hitList(app, { label, actions, onTag }) {
  const element = h("ol.hits", { "aria-label": label });
  /** @type {Map<HTMLElement, {hit: Hit, tile: ReturnType<typeof tile>}>} */
  const rows = new Map();
  let shown = new AbortController(); // aborted when these rows make way for others

  /** The row in focus, or else the first one. */
  const current = () => {
    const row = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".hit"));
    return row && rows.has(row) ? row : null;
  };
  const focus = (/** @type {HTMLElement | null | undefined} */ row) => {
    if (!row) return;
    for (const other of rows.keys()) other.tabIndex = other === row ? 0 : -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  const step = (/** @type {number} */ by) => {
    const all = [...rows.keys()];
    const at = current();
    const next = at ? all[all.indexOf(at) + by] : all[0];
    if (!next) return;
    const follow = app.player.playing && at && app.player.holds(entry(at).tile.piece);
    focus(next);
    if (follow) entry(next).tile.play();
  };
  const entry = (/** @type {HTMLElement} */ row) => /** @type {{hit: Hit, tile: ReturnType<typeof tile>}} */ (rows.get(row));
  const onCurrent = (/** @type {(row: HTMLElement) => void} */ act) => () => {
    const row = current();
    if (row) act(row);
  };

  bindKeys(
    {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      " ": () => (current() ? entry(/** @type {HTMLElement} */ (current())).tile.toggle() : app.player.toggle()),
      Enter: onCurrent((row) => go(recordingAddress(entry(row).hit))),
      ...Object.fromEntries(actions.map((action) => [action.key, onCurrent((row) => action.run(entry(row).hit, row))])),
    },
    app.signal,
  );

  function add(/** @type {Hit[]} */ hits) {
    const signal = AbortSignal.any([app.signal, shown.signal]);
    for (const hit of hits) {
      const picture = tile(hit, app, signal);
      const row = h(
        "li.hit",
        { tabindex: rows.size ? -1 : 0, "aria-label": `${hit.name}, ${span(hit.start, hit.end)}${score(hit)}` },
        picture.element,
        describe(hit, onTag),
        h("div.acts", {}, actions.map((action) => actionButton(action, () => action.run(hit, row)))),
      );
      row.addEventListener("focusin", () => {
        for (const other of rows.keys()) other.tabIndex = other === row ? 0 : -1;
      });
      playOnHover(picture, app);
      rows.set(row, { hit, tile: picture });
      element.append(row);
    }
  }

  function set(/** @type {Hit[]} */ hits) {
    shown.abort();
    shown = new AbortController();
    rows.clear();
    fill(element);
    add(hits);
  }

  /** Takes one row away and keeps the focus in the list. */
  function remove(/** @type {HTMLElement} */ row) {
    const next = /** @type {HTMLElement | null} */ (row.nextElementSibling ?? row.previousElementSibling);
    const focused = row.contains(document.activeElement);
    rows.delete(row);
    row.remove();
    if (focused) focus(next);
  }

  return { element, set, add, remove, step, focusFirst: () => focus(rows.keys().next().value), size: () => rows.size };
}

function recordingAddress(/** @type {import("../api.js").Stretch} */ hit) {
  return href("recording", hit.recording, { t: hit.start.toFixed(2), e: hit.end.toFixed(2) });
}

function score(/** @type {Hit} */ hit) {
  return Number.isFinite(hit.score) ? `, score ${hit.score.toFixed(2)}` : "";
}

function describe(/** @type {Hit} */ hit, /** @type {((label: string) => void) | undefined} */ onTag) {
  const folder = hit.path.slice(0, Math.max(0, hit.path.length - hit.name.length - 1));
  const tags = (hit.tags ?? []).map((tag) =>
    onTag
      ? h("button.tag", { type: "button", title: `Only recordings with ${tag.label}`, onclick: () => onTag(tag.label) }, tag.label)
      : h("span.tag", {}, tag.label),
  );
  return h(
    "div.about",
    {},
    h("a.name", { href: recordingAddress(hit), tabindex: 0 }, hit.name),
    h("p.place", {}, h("span.times", {}, span(hit.start, hit.end)), h("span.muted", {}, ` of ${length(hit.duration)}`),
      folder && h("span.muted.folder", {}, folder)),
    h("div.why", {}, Number.isFinite(hit.score) && meter(hit.score), tags),
  );
}

/** A score in [0, 1] as a number with a bar. */
function meter(/** @type {number} */ score) {
  return h(
    "span.score",
    { title: `Score ${score.toFixed(3)} of 1` },
    h("span.gauge", { "aria-hidden": "true" }, h("span", { style: { width: `${Math.round(100 * score)}%` } })),
    score.toFixed(2),
  );
}

function actionButton(/** @type {Action} */ action, /** @type {() => void} */ run) {
  const props = { type: "button", title: `${action.label} (${action.key})`, "aria-label": action.label, onclick: run };
  return h(`button.quiet.act${action.class ? `.${action.class}` : ""}`, props, icon(action.icon), h("span", {}, action.label));
}

function playOnHover(/** @type {ReturnType<typeof tile>} */ picture, /** @type {import("../main.js").App} */ app) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  let started = false;
  picture.element.addEventListener("pointerenter", (/** @type {PointerEvent} */ event) => {
    if (!app.store.settings.hover || event.pointerType !== "mouse") return;
    timer = setTimeout(() => {
      started = true;
      picture.play();
    }, HOVER_DELAY);
  });
  picture.element.addEventListener("pointerleave", () => {
    clearTimeout(timer);
    if (started && app.player.holds(picture.piece)) app.player.pause();
    started = false;
  });
}
