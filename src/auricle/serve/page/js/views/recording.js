/** One recording: see it, hear it, and say what is in it. */

import { Annotations } from "../annotations.js";
import { fill, h, icon, iconButton } from "../dom.js";
import { date, length, span } from "../format.js";
import { bindKeys } from "../keys.js";
import { emptyQuery, toParams } from "../query.js";
import { go, href } from "../router.js";
import { ask } from "../ui/dialog.js";
import { askRegion, inspector } from "../ui/inspector.js";
import { boxes, lanes } from "../ui/lanes.js";
import { saveTo } from "../ui/save.js";
import { stage } from "../ui/stage.js";
import { failed, message, skeletons } from "../ui/states.js";
import { Viewport } from "../viewport.js";

const FORMATS = { csv: "CSV", audacity: "Audacity", raven: "Raven", jams: "JAMS", json: "JSON", srt: "SRT", vtt: "WebVTT", rttm: "RTTM" };
const SHOWN = 30; // seconds around a hit in a long recording
const ZOOM = 1.6;
const WORKS = "bytecover3"; // the ear that tells works apart
const VOICES = "ge2e"; // … and voices

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  let follow = (/** @type {import("../router.js").Route} */ _) => {};
  load();
  return (/** @type {import("../router.js").Route} */ next) => follow(next);

  async function load() {
    fill(root, skeletons(3));
    try {
      const recording = await app.api.recording(route.id);
      if (app.signal.aborted) return;
      document.title = `${recording.name} · auricle`;
      follow = show(root, app, recording);
      follow(route);
    } catch (error) {
      if (!app.signal.aborted) fill(root, failed(error, load));
    }
  }
}

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../api.js").RecordingDetail} recording */
function show(root, app, recording) {
  const { player, signal } = app;
  const whole = { recording: recording.id, name: recording.name };
  const viewport = new Viewport(recording.duration);
  const annotations = new Annotations(app.api, recording.id);

  /** @type {import("../annotations.js").Item | null} */
  let item = null;
  /** @type {import("../ui/stage.js").Region | null} */
  let region = null;
  let drawing = false;

  const scene = stage({
    app,
    recording,
    viewport,
    overlay: (axis) => boxes(annotations, viewport, axis, signal),
    on: {
      seek: (t) => player.play(whole, t),
      region: (next, done) => {
        item = null;
        setRegion(next);
        if (done && drawing) nameRegion();
      },
    },
  });
  const timeline = lanes({ viewport, annotations, select, selected: () => item, signal });
  const panel = inspector(app.api, recording, {
    confirm: () => judge("confirmed"),
    reject: () => judge("rejected"),
    rename,
    remove: (label) => attempt(() => annotations.remove(label), `Removed ${label.label}`, true),
    undo,
    save: () => region && saveTo(app, [{ recording: recording.id, ...region }]),
    teach,
    name: nameRegion,
    goTo: select,
  });
  const { element: toolbar, drawButton, loopButton, playButton } = tools();
  fill(root, heading(recording), h("div.workbench", {}, h("div.desk", {}, toolbar, scene.element, timeline.element, exports()), panel.element));

  function tools() {
    const playButton = h("button.primary.square", { type: "button", onclick: playOrPause });
    const loopButton = h("button", { type: "button", "aria-pressed": "false", title: "Loop the region (o)", onclick: loop }, icon("loop"), h("span", {}, "Loop"));
    const drawButton = h("button", { type: "button", "aria-pressed": "false", title: "Draw a region (d)", onclick: toggleDrawing }, icon("box"), h("span", {}, "Draw"));
    const scale = h("select.compact", { "aria-label": "Frequency scale", onchange: () => scene.setScale(scale.value) },
      h("option", { value: "mel" }, "Mel scale"), h("option", { value: "linear" }, "Linear scale"));
    const element = h(
      "div.toolbar",
      { role: "toolbar", "aria-label": "Recording" },
      playButton,
      loopButton,
      drawButton,
      h("button", { type: "button", onclick: nameRegion, title: "Name a region by its numbers" }, icon("pencil"), h("span", {}, "New label")),
      h("span.spring"),
      scale,
      iconButton("minus", "Zoom out (−)", { onclick: () => viewport.zoom(1 / ZOOM) }),
      iconButton("plus", "Zoom in (+)", { onclick: () => viewport.zoom(ZOOM) }),
      iconButton("fit", "Show all (0)", { onclick: () => viewport.fit() }),
    );
    return { element, drawButton, loopButton, playButton };
  }

  function exports() {
    const what = h("select.compact", { "aria-label": "What to export" }, h("option", { value: "labels" }, "Your labels"), h("option", { value: "events" }, "Machine events"));
    const format = h("select.compact", { "aria-label": "Format" }, Object.entries(FORMATS).map(([value, name]) => h("option", { value }, name)));
    const link = h("a.button", { download: "" }, icon("download"), "Export");
    const update = () => link.setAttribute("href", app.api.exportUrl(recording.id, format.value, what.value));
    what.addEventListener("change", update);
    format.addEventListener("change", update);
    update();
    return h("div.exports", {}, what, format, link);
  }

  // --- choosing ---

  function setRegion(/** @type {typeof region} */ next) {
    region = next;
    scene.setRegion(next);
    panel.showItem(item, next);
    timeline.mark();
  }

  function select(/** @type {import("../annotations.js").Item} */ next) {
    item = next;
    viewport.reveal(next.start, next.end);
    setRegion({ start: next.start, end: next.end, low: next.low, high: next.high });
    app.announce(`${next.name}, ${next.label?.verdict ?? "not judged"}`);
  }

  function step(/** @type {number} */ by) {
    const { items } = annotations;
    if (!items.length) return;
    const at = item ? items.findIndex(({ key }) => key === item?.key) : by > 0 ? -1 : items.length;
    select(items[Math.max(0, Math.min(items.length - 1, at + by))]);
  }

  // --- hearing ---

  function playOrPause() {
    if (player.piece?.recording === recording.id && player.playing) player.pause();
    else if (region) player.play({ ...whole, start: region.start, end: region.end, loop: loopButton.getAttribute("aria-pressed") === "true" });
    else player.play(whole);
  }

  function loop() {
    const on = loopButton.getAttribute("aria-pressed") !== "true";
    loopButton.setAttribute("aria-pressed", String(on));
    if (on && !region) setRegion({ start: viewport.start, end: viewport.end, low: null, high: null });
    if (on && region) player.play({ ...whole, start: region.start, end: region.end, loop: true });
    else player.setLoop(false);
  }

  function skip(/** @type {number} */ seconds) {
    if (player.piece?.recording === recording.id) player.seek(Math.min(recording.duration, player.position + seconds));
    else viewport.pan(seconds);
  }

  // --- saying ---

  /** Does something that the library remembers; says what was done, or why it was not. */
  async function attempt(/** @type {() => Promise<any>} */ change, /** @type {string} */ done, undoable = true) {
    try {
      const result = await change();
      app.toast(done, undoable ? { label: "Undo", run: undo } : null);
      return result;
    } catch (error) {
      app.toast(message(error));
    }
  }

  async function judge(/** @type {"confirmed" | "rejected"} */ verdict) {
    const judged = item;
    if (!judged?.event) return;
    const back = judged.label?.verdict === verdict;
    await attempt(() => annotations.judge(judged, verdict), back ? `Took it back: ${judged.name}` : `${judged.name}: ${verdict}`);
  }

  async function rename() {
    const renamed = item;
    if (!renamed) return;
    const name = await ask("Rename", { value: renamed.name, label: "What is it?", action: "Rename", suggestions: names() });
    if (name && name !== renamed.name) await attempt(() => annotations.rename(renamed, name), `Renamed to ${name}`);
  }

  async function nameRegion() {
    const { duration } = recording;
    const here = player.piece?.recording === recording.id ? player.position : viewport.start;
    const start = region ?? { start: here, end: Math.min(duration, here + 1), low: null, high: null };
    const made = await askRegion(start, { duration, names: names() });
    if (drawing) toggleDrawing();
    const drawn = made && (await attempt(() => annotations.draw(made), `Added ${made.label}`));
    if (drawn) select(drawn);
  }

  async function teach() {
    const stretch = region;
    const name = stretch && (await ask("Teach a sound of your own", { value: item?.name ?? "", label: "Its name", action: "Start" }));
    if (!stretch || !name) return;
    const like = [{ recording: recording.id, start: stretch.start, end: stretch.end, weight: 1 }];
    go(href("teach", name, toParams({ ...emptyQuery(), like })));
  }

  async function undo() {
    try {
      const undone = await annotations.undo();
      app.toast(undone?.label ? `Undone: ${undone.label.label}` : "There is nothing to undo");
    } catch (error) {
      app.toast(message(error));
    }
  }

  function toggleDrawing() {
    drawing = !drawing;
    drawButton.setAttribute("aria-pressed", String(drawing));
    scene.setDrawing(drawing);
  }

  const names = () => [...new Set([...annotations.items.map(({ name }) => name), ...recording.tags.map(({ label }) => label)])];

  // --- wiring ---

  annotations.addEventListener("change", () => {
    if (item) item = annotations.items.find(({ key }) => key === item?.key) ?? null;
    panel.showItem(item, region);
    panel.showLabels(annotations.items);
    timeline.mark();
  }, { signal });
  const showPlaying = () => {
    const playing = player.playing && player.piece?.recording === recording.id;
    fill(playButton, icon(playing ? "pause" : "play"));
    playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
  };
  player.addEventListener("change", showPlaying, { signal });
  showPlaying();
  bindKeys({
    " ": playOrPause,
    ArrowLeft: (event) => skip(event.shiftKey ? -5 : -1),
    ArrowRight: (event) => skip(event.shiftKey ? 5 : 1),
    "+": () => viewport.zoom(ZOOM),
    "=": () => viewport.zoom(ZOOM),
    "-": () => viewport.zoom(1 / ZOOM),
    "0": () => viewport.fit(),
    j: () => step(-1),
    k: () => step(1),
    c: () => judge("confirmed"),
    x: () => judge("rejected"),
    r: rename,
    d: toggleDrawing,
    o: loop,
    u: undo,
    s: () => region && saveTo(app, [{ recording: recording.id, ...region }]),
    Escape: () => {
      item = null;
      setRegion(null);
    },
  }, signal);
  panel.showItem(null, null);
  showRelated(app, recording, panel.element);
  annotations.load().then(() => annotations.problem && app.toast(message(annotations.problem)));

  return (/** @type {import("../router.js").Route} */ { params }) => {
    const [start, end] = [Number(params.get("t") ?? NaN), Number(params.get("e") ?? NaN)];
    if (Number.isNaN(start)) return;
    if (recording.duration > SHOWN) viewport.set(start - SHOWN / 3, start - SHOWN / 3 + Math.max(SHOWN, (end - start) * 1.5 || 0));
    item = null;
    if (end > start) setRegion({ start, end, low: null, high: null });
  };
}

/** Lists other performances of the same work, and who speaks, below the panel's own sections. */
async function showRelated(/** @type {import("../main.js").App} */ app, /** @type {import("../api.js").Recording} */ { id }, /** @type {HTMLElement} */ panel) {
  try {
    const listeners = await app.api.listeners();
    const versions = listeners.has(WORKS) ? await app.api.versions(id) : [];
    const turns = listeners.has(VOICES) ? await app.api.speakers(id) : [];
    if (app.signal.aborted) return;
    if (versions.length) panel.append(listed("Other versions", versions.map(({ recording, name, score }) => [href("recording", recording), name, score.toFixed(2)])));
    if (turns.length) panel.append(listed("Who speaks", turns.map(({ speaker, start, end }) => [href("recording", id, { t: start, e: end }), speaker, span(start, end)])));
  } catch (error) {
    if (!app.signal.aborted) app.toast(message(error));
  }
}

/** A section of links, each with what is known of it. */
function listed(/** @type {string} */ title, /** @type {string[][]} */ rows) {
  const items = rows.map(([address, name, about]) => h("li", {}, h("a.goto", { href: address }, h("span.text", {}, name), h("span.times", {}, about))));
  return h("section", { "aria-label": title }, h("h2", {}, title), h("ul.labels", {}, items));
}

function heading(/** @type {import("../api.js").RecordingDetail} */ recording) {
  const { latitude, longitude } = recording;
  const facts = [
    [recording.folder, recording.title && recording.name].filter(Boolean).join("/"),
    length(recording.duration),
    `${Number((recording.sample_rate / 1000).toFixed(2))} kHz`,
    recording.channels === 1 ? "mono" : recording.channels === 2 ? "stereo" : `${recording.channels} channels`,
    recording.format,
    recording.recorded && `recorded ${date(recording.recorded)}`,
    recording.artist && `by ${recording.artist}`,
    latitude !== null && longitude !== null && `${latitude.toFixed(4)}°, ${longitude.toFixed(4)}°`,
  ].filter(Boolean);
  return h(
    "header.heading-block",
    {},
    h("a.back", { href: "#/search", onclick: (/** @type {Event} */ event) => {
      if (history.length < 2) return;
      event.preventDefault();
      history.back();
    } }, "← Back"),
    h("h1", {}, recording.title || recording.name),
    h("p.facts", {}, facts.join("  ·  ")),
    !recording.available && h("p.warning", { role: "alert" }, "The file is no longer where it was heard. Put it back, or run auricle prune to forget it."),
    h("div.why", {}, recording.tags.slice(0, 10).map(({ label, score }) =>
      h("a.tag", { href: `#/search?${new URLSearchParams({ q: label, tag: label })}`, title: `Score ${score.toFixed(2)}` }, label))),
  );
}
