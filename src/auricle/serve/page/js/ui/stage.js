/** The stage of the recording view: overview strip, spectrogram with both axes, playhead, the chosen region. */

import { themeColours } from "../colours.js";
import { fill, h, setStyle } from "../dom.js";
import { clock, hertz } from "../format.js";
import { FrequencyAxis } from "../frequency.js";
import { Spectrogram } from "../spectrogram.js";
import { ticks } from "../viewport.js";
import { drawWaveform } from "../waveform.js";

const CLICK = 4; // pixels a pointer may move and still click
const WHEEL = 0.009; // zoom for each pixel of the wheel
const EDGE = 0.03; // of the width, where a time would be cut off

/**
 * @typedef {{start: number, end: number, low: number | null, high: number | null}} Region
 *
 * @param {{app: import("../main.js").App, recording: import("../api.js").Recording, viewport: import("../viewport.js").Viewport,
 *   overlay: (axis: () => FrequencyAxis) => {element: HTMLElement, place: () => void},
 *   on: {seek: (t: number) => void, region: (region: Region | null, done: boolean) => void}}} options
 */
export function stage({ app, recording, viewport, overlay, on }) {
  const { signal } = app;
  const top = recording.sample_rate / 2;
  let axis = new FrequencyAxis("mel", top);
  let drawing = false;

  const canvas = h("canvas", { role: "img", "aria-label": `Spectrogram of ${recording.name}` });
  const playhead = h("div.playhead");
  const chosen = h("div.region", { hidden: true });
  const over = overlay(() => axis);
  const surface = h("div.surface", {}, canvas, over.element, chosen, playhead);
  const gutter = h("div.gutter", { "aria-hidden": "true" });
  const ruler = h("div.ruler", { "aria-hidden": "true" });
  const wave = h("canvas");
  const lens = h("div.lens");
  const head = h("div.playhead");
  const overview = h("div.overview", {}, wave, lens, head);
  const element = h("div.stage", {}, overview, gutter, surface, ruler);
  const spectrogram = new Spectrogram(canvas, { api: app.api, recording: recording.id, viewport, axis, signal });

  // --- drawing ---

  /** @type {Region | null} */
  let region = null;
  const percent = (/** @type {number} */ share) => `${100 * share}%`;

  function place() {
    setStyle(lens, { left: percent(viewport.start / viewport.duration), width: percent(viewport.length / viewport.duration) });
    const { times, digits } = ticks(viewport, surface.clientWidth < 500 ? 4 : 9);
    const marks = times.map((t) => ({ t, share: viewport.share(t) })).filter(({ share }) => share < 1 - EDGE);
    fill(ruler, marks.map(({ t, share }) => h(`span${share < EDGE ? ".first" : ""}`, { style: { left: percent(share) } }, clock(t, digits))));
    placeRegion();
    placePlayhead();
  }

  function placeRegion() {
    chosen.hidden = !region;
    if (!region) return;
    setStyle(chosen, {
      left: percent(viewport.share(region.start)),
      width: percent((region.end - region.start) / viewport.length),
      bottom: percent(region.low === null ? 0 : axis.share(region.low)),
      top: percent(region.high === null ? 0 : 1 - axis.share(region.high)),
    });
  }

  function placePlayhead() {
    const here = app.player.piece?.recording === recording.id;
    playhead.hidden = head.hidden = !here;
    if (!here) return;
    const t = app.player.position;
    setStyle(playhead, { left: percent(viewport.share(t)) });
    setStyle(head, { left: percent(t / viewport.duration) });
    const leaves = t > viewport.end && t < viewport.end + 1;
    if (app.player.playing && leaves && !held) viewport.set(t, t + viewport.length);
  }

  function placeFrequencies() {
    fill(gutter, axis.ticks().map((f) => h("span", { style: { bottom: percent(axis.share(f)) } }, hertz(f))));
  }

  // --- pointers ---

  let held = false;
  const at = (/** @type {PointerEvent | WheelEvent} */ event, /** @type {HTMLElement} */ box) => {
    const { left, top: up, width, height } = box.getBoundingClientRect();
    return { x: Math.max(0, Math.min(1, (event.clientX - left) / width)), y: Math.max(0, Math.min(1, 1 - (event.clientY - up) / height)) };
  };

  surface.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    held = true;
    const from = at(event, surface);
    const [x0, y0, window0] = [event.clientX, event.clientY, [viewport.start, viewport.end]];
    const pans = event.pointerType === "touch" && !drawing;
    let moved = false;
    const move = (/** @type {PointerEvent} */ e) => {
      moved ||= Math.hypot(e.clientX - x0, e.clientY - y0) > CLICK;
      if (!moved) return;
      if (pans) {
        const by = ((x0 - e.clientX) / surface.clientWidth) * viewport.length;
        return viewport.set(window0[0] + by, window0[1] + by);
      }
      const to = at(e, surface);
      const [a, b] = [viewport.at(Math.min(from.x, to.x)), viewport.at(Math.max(from.x, to.x))];
      const [low, high] = drawing ? [axis.at(Math.min(from.y, to.y)), axis.at(Math.max(from.y, to.y))] : [null, null];
      on.region({ start: a, end: b, low: low && Math.round(low), high: high && Math.round(high) }, false);
    };
    const gesture = new AbortController();
    const up = (/** @type {PointerEvent} */ e) => {
      held = false;
      gesture.abort();
      if (e.type === "pointercancel" || pans) return moved ? undefined : on.seek(viewport.at(from.x));
      if (moved && region) on.region(region, true);
      else on.seek(viewport.at(from.x));
    };
    surface.addEventListener("pointermove", move, { signal: gesture.signal });
    for (const name of ["pointerup", "pointercancel"]) surface.addEventListener(name, up, { signal: gesture.signal });
  });
  surface.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
    if (event.ctrlKey || event.metaKey) viewport.zoom(Math.exp(-event.deltaY * WHEEL), viewport.at(at(event, surface).x));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      viewport.pan(((event.deltaX || event.deltaY) / surface.clientWidth) * viewport.length);
    else return; // the page scrolls
    event.preventDefault();
  }, { passive: false });
  overview.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    overview.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ e) => {
      const t = at(e, overview).x * viewport.duration;
      viewport.set(t - viewport.length / 2, t + viewport.length / 2);
      if (viewport.length >= viewport.duration) on.seek(t);
    };
    move(event);
    if (viewport.length >= viewport.duration) return;
    overview.addEventListener("pointermove", move);
    overview.addEventListener("pointerup", () => overview.removeEventListener("pointermove", move), { once: true });
  });

  // --- wiring ---

  let peaks = /** @type {import("../waveform.js").Peaks | null} */ (null);
  const drawOverview = () => peaks && wave.isConnected && drawWaveform(wave, peaks, themeColours()("wave"));
  app.api.peaks(recording.id, 0, recording.duration, 800, signal).then((got) => {
    peaks = got;
    drawOverview();
  }, () => {});
  const observer = new ResizeObserver(() => {
    drawOverview();
    place();
  });
  observer.observe(surface);
  signal.addEventListener("abort", () => observer.disconnect());
  window.addEventListener("themechange", drawOverview, { signal });
  viewport.addEventListener("change", place, { signal });
  app.player.addEventListener("time", placePlayhead, { signal });
  app.player.addEventListener("change", placePlayhead, { signal });
  placeFrequencies();

  return {
    element,
    setRegion(/** @type {Region | null} */ next) {
      region = next;
      placeRegion();
    },
    setDrawing(/** @type {boolean} */ on_) {
      drawing = on_;
      surface.classList.toggle("drawing", on_);
    },
    setScale(/** @type {"mel" | "linear"} */ scale) {
      axis = new FrequencyAxis(scale, top);
      spectrogram.setAxis(axis);
      placeFrequencies();
      placeRegion();
      over.place();
    },
  };
}
