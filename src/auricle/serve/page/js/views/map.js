/** The map: every recording (of a small library: every window) a point, alike ones close together. Hover to hear, lasso to collect; also as a list. */

import { palette, themeColours } from "../colours.js";
import { fill, h, icon, iconButton, setStyle } from "../dom.js";
import { count } from "../format.js";
import { bindKeys } from "../keys.js";
import { go, href } from "../router.js";
import { Scatter } from "../scatter.js";
import { saveTo } from "../ui/save.js";
import { empty, failed } from "../ui/states.js";

const POLL = 1000; // ms between looks at a map that is being drawn up
const HEARD = 4; // seconds played of a point
const LISTED = 300; // recordings in the list
const REST = "other"; // what the server calls the groups it does not tell apart
const STEP = 0.08; // of the map for each arrow key

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  const colourOf = (/** @type {import("../router.js").Route} */ { params }) => (params.get("colour") === "folder" ? "folder" : "tag");
  /** @type {"tag" | "folder"} */
  let colour = colourOf(route);
  const choice = h("select.compact", { "aria-label": "Colour by", onchange: () => go(href("map", "", { colour: choice.value })) },
    h("option", { value: "tag" }, "Colour by tag"), h("option", { value: "folder" }, "Colour by folder"));
  choice.value = colour;
  const hear = h("input", { type: "checkbox", checked: app.store.settings.hover, onchange: () => app.store.set("hover", hear.checked) });
  const canvas = h("canvas", { tabindex: 0, role: "application", "aria-label": "Map of the library. Arrow keys move, plus and minus zoom. The same recordings are listed below." });
  const tip = h("div.tip", { hidden: true });
  const board = h("div.board", {}, canvas, tip);
  const legend = h("div.legend", { role: "group", "aria-label": "Legend" });
  const chosen = h("div.chosen-row", { role: "status" });
  const scatter = new Scatter(canvas, app.signal);
  const lasso = h("button", { type: "button", "aria-pressed": "false", onclick: () => setLasso(!scatter.lassoing) }, icon("lasso"), h("span", {}, "Lasso"));
  const list = h("details.panel.map-list", {}, h("summary", {}, "As a list"));
  const toolbar = h("div.toolbar", {}, choice, lasso, h("label.check", {}, hear, "Hear on hover"), h("span.spring"),
    iconButton("minus", "Zoom out (−)", { onclick: () => scatter.zoom(1 / 1.6) }),
    iconButton("plus", "Zoom in (+)", { onclick: () => scatter.zoom(1.6) }),
    iconButton("fit", "Show all (0)", { onclick: () => fit() }));
  const body = h("div", {});
  fill(root, h("h1", {}, "Map"), h("p.lead", {}, "What sounds alike lies close together."), body);
  load();

  /** @type {{points: number[][], recordings: any[], colours: string[]}} */
  let map;
  const off = new Set();

  async function load() {
    try {
      const got = await app.api.map(colour);
      if (app.signal.aborted) return;
      if ("progress" in got && !got.points) {
        fill(body, h("div.state", {}, h("h2", {}, "Drawing the map …"), h("progress", { max: 1, value: got.progress || null, "aria-label": "Drawing the map" })));
        setTimeout(() => !app.signal.aborted && load(), POLL);
        return;
      }
      map = got;
      if (!map.points.length) return fill(body, empty("Nothing to map yet", "A map needs a few recordings.", h("a.button.primary", { href: href("library") }, "Index a folder")));
      fill(body, toolbar, h("div.atlas", {}, board, legend), chosen, list);
      show();
    } catch (error) {
      if (!app.signal.aborted) fill(body, failed(error, load));
    }
  }

  function show() {
    rank();
    recolour();
    scatter.setPoints(map.points);
    fillLegend();
    fillList();
    canvas.setAttribute("aria-label", `Map of ${count(map.recordings.length, "recording")}. Arrow keys move, plus and minus zoom. The same recordings are listed below.`);
  }

  /** Colour numbers by falling number of points; those beyond the palette share one grey. @type {number[]} */
  let ranking = [];
  const OTHER = -1;
  const group = (/** @type {number} */ k) => (map.colours[k] && map.colours[k] !== REST && ranking.indexOf(k) < palette().length ? k : OTHER);
  const hue = (/** @type {number} */ g) => (g === OTHER ? themeColours()("wave") : palette()[ranking.indexOf(g)]);

  function rank() {
    const counts = new Map();
    for (const [, , k] of map.points) counts.set(k, (counts.get(k) ?? 0) + 1);
    ranking = [...counts.keys()].filter((k) => map.colours[k] !== REST).sort((a, b) => counts.get(b) - counts.get(a));
  }

  function recolour() {
    if (!map) return;
    const groups = map.colours.map((_, k) => group(k));
    const hues = new Map(groups.map((g) => [g, hue(g)]));
    scatter.colour = (i) => {
      const g = groups[map.points[i][2]] ?? OTHER;
      return off.has(g) ? null : (hues.get(g) ?? hue(OTHER));
    };
    scatter.outline = themeColours()("text");
    scatter.request();
  }

  function fillLegend() {
    const counts = new Map();
    for (const [, , k] of map.points) counts.set(group(k), (counts.get(group(k)) ?? 0) + 1);
    fill(legend, [...counts].sort(([a, n], [b, m]) => Number(a === OTHER) - Number(b === OTHER) || m - n).map(([k, n]) => {
      const button = h("button.key", { type: "button", "aria-pressed": "true", title: "Show or hide", onclick: () => {
        if (!off.delete(k)) off.add(k);
        button.setAttribute("aria-pressed", String(!off.has(k)));
        recolour();
      } }, h("span.dot"), h("span.text", {}, map.colours[k] ?? "other"), h("span.files", {}, n.toLocaleString("en")));
      setStyle(button, { "--colour": hue(k) });
      return button;
    }));
  }

  function fillList() {
    const rows = map.recordings.slice(0, LISTED).map((recording) =>
      h("li", {}, h("button.quiet.square", { type: "button", "aria-label": `Play ${recording.name}`, onclick: () => play(recording, 0, recording.duration) }, icon("play")),
        h("a", { href: href("recording", recording.id) }, recording.name), h("span.muted", {}, recording[colour] ?? "")));
    const rest = map.recordings.length - rows.length;
    fill(list, h("summary", {}, "As a list"), h("ul", {}, rows), rest > 0 && h("p.muted", {}, `and ${rest.toLocaleString("en")} more; the library lists them all.`));
  }

  const recordingOf = (/** @type {number} */ i) => map.recordings[map.points[i][3]];
  const play = (/** @type {any} */ { id, name }, start = 0, end = HEARD) =>
    app.player.play({ recording: id, name, start, end: Math.min(start + HEARD, end) });
  const playPoint = (/** @type {number} */ i) => play(recordingOf(i), map.points[i][4], map.points[i][5]);

  function setLasso(/** @type {boolean} */ on) {
    scatter.lassoing = on;
    lasso.setAttribute("aria-pressed", String(on));
    board.classList.toggle("lassoing", on);
  }

  function fit() {
    scatter.view.zoom = 1;
    scatter.moveTo(0.5, 0.5);
  }

  function showChosen() {
    const stretches = merged([...scatter.chosen].map((i) => ({ recording: recordingOf(i).id, start: map.points[i][4], end: map.points[i][5] })));
    const recordings = new Set(stretches.map((stretch) => stretch.recording)).size;
    const clear = () => {
      scatter.chosen.clear();
      scatter.request();
      fill(chosen);
    };
    if (!recordings) return clear();
    setLasso(false);
    fill(chosen, h("strong", {}, `${count(recordings, "recording")} inside`),
      h("button.primary", { type: "button", onclick: () => saveTo(app, stretches) }, icon("save"), "Save to a collection"),
      h("button", { type: "button", onclick: clear }, "Clear"));
  }

  scatter.addEventListener("hover", (event) => {
    const i = /** @type {CustomEvent} */ (event).detail;
    tip.hidden = i < 0;
    if (i < 0) return;
    const recording = recordingOf(i);
    const [x, y] = scatter.pixel(i);
    fill(tip, h("strong", {}, recording.name), h("span", {}, [recording.tag, recording.folder].filter(Boolean).join(" · ")));
    setStyle(tip, { left: `${Math.min(x, canvas.clientWidth - tip.offsetWidth - 8)}px`, top: `${y + 14}px` });
    if (hear.checked) playPoint(i);
  });
  scatter.addEventListener("pick", (event) => {
    const i = /** @type {CustomEvent} */ (event).detail;
    if (i < 0) return;
    const recording = recordingOf(i);
    if (app.player.piece?.recording === recording.id) go(href("recording", recording.id));
    else playPoint(i);
  });
  scatter.addEventListener("choose", showChosen);
  window.addEventListener("themechange", () => {
    recolour();
    if (map) fillLegend();
  }, { signal: app.signal });
  const onMap = (/** @type {() => void} */ act) => () => document.activeElement === canvas && act();
  const move = (/** @type {number} */ x, /** @type {number} */ y) => onMap(() => scatter.moveTo(scatter.view.x + (x * STEP) / scatter.view.zoom, scatter.view.y + (y * STEP) / scatter.view.zoom));
  bindKeys({
    ArrowLeft: move(-1, 0), ArrowRight: move(1, 0), ArrowUp: move(0, -1), ArrowDown: move(0, 1),
    "+": () => scatter.zoom(1.6), "=": () => scatter.zoom(1.6), "-": () => scatter.zoom(1 / 1.6), "0": fit,
    " ": () => app.player.toggle(),
  }, app.signal);

  return (/** @type {import("../router.js").Route} */ next) => {
    choice.value = colour = colourOf(next);
    off.clear();
    load();
  };
}

/** Stretches of each recording that overlap or touch, as one. @param {import("../api.js").Stretch[]} stretches */
function merged(stretches) {
  stretches.sort((a, b) => a.recording.localeCompare(b.recording) || a.start - b.start);
  /** @type {import("../api.js").Stretch[]} */
  const found = [];
  for (const stretch of stretches) {
    const last = found.at(-1);
    if (last?.recording === stretch.recording && stretch.start <= last.end) last.end = Math.max(last.end, stretch.end);
    else found.push(stretch);
  }
  return found;
}
