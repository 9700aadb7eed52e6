/** A waveform on which a stretch of time is chosen: by dragging, with two sliders, or by typing "3.5-6". */

import { themeColours } from "../colours.js";
import { fill, h, icon, setStyle } from "../dom.js";
import { clock, parseSpan, span } from "../format.js";
import { drawWaveform } from "../waveform.js";

const SHORTEST = 0.1; // seconds
const STEP = 0.1;

/**
 * @param {{name: string, duration: number, start: number, end: number, peaks: Promise<import("../waveform.js").Peaks | null>,
 *   change: (start: number, end: number) => void, play: (start: number, end: number) => void, signal: AbortSignal}} options
 *   `change` is called when the choice is made, not while dragging
 */
export function rangePicker({ name, duration, start, end, peaks, change, play, signal }) {
  let chosen = { start, end };
  const wave = h("canvas");
  const window_ = h("div.chosen");
  const text = h("input.times", { type: "text", "aria-label": "Stretch in seconds, for example 3.5-6", size: 16, spellcheck: "false" });
  const handles = /** @type {const} */ (["start", "end"]).map((edge) =>
    h(`div.handle.${edge}`, { role: "slider", tabindex: 0, "aria-label": edge === "start" ? "From" : "To", "aria-valuemin": 0,
      "aria-valuemax": duration.toFixed(1), onkeydown: (/** @type {KeyboardEvent} */ event) => nudge(event, edge) }));
  const strip = h("div.strip", {}, wave, window_, handles);
  const element = h(
    "div.range",
    { role: "group", "aria-label": `Part of ${name}` },
    h("p.caption", {}, "Drag over the part that matters, or type it."),
    strip,
    h(
      "div.row",
      {},
      h("button", { type: "button", onclick: () => play(chosen.start, chosen.end) }, icon("play"), "Play the part"),
      text,
      h("button", { type: "button", onclick: () => choose(0, duration, true) }, "All of it"),
    ),
  );

  function show() {
    const percent = (/** @type {number} */ t) => `${(100 * t) / duration}%`;
    setStyle(window_, { left: percent(chosen.start), right: `calc(100% - ${percent(chosen.end)})` });
    handles.forEach((handle, i) => {
      const t = i ? chosen.end : chosen.start;
      setStyle(handle, { left: percent(t) });
      handle.setAttribute("aria-valuenow", t.toFixed(1));
      handle.setAttribute("aria-valuetext", clock(t));
    });
    text.value = span(chosen.start, chosen.end);
  }

  function choose(/** @type {number} */ a, /** @type {number} */ b, done = false) {
    const [low, high] = [Math.max(0, Math.min(a, b)), Math.min(duration, Math.max(a, b))];
    chosen = { start: Math.min(low, Math.max(0, duration - SHORTEST)), end: Math.min(duration, Math.max(high, low + SHORTEST)) };
    show();
    if (done) change(chosen.start, chosen.end);
  }

  function nudge(/** @type {KeyboardEvent} */ event, /** @type {"start" | "end"} */ edge) {
    const by = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -1, PageUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const moved = { ...chosen, [edge]: chosen[edge] + by };
    if (moved.end - moved.start >= SHORTEST) choose(moved.start, moved.end, true);
  }

  const at = (/** @type {PointerEvent} */ event) => {
    const box = strip.getBoundingClientRect();
    return Math.max(0, Math.min(duration, ((event.clientX - box.left) / box.width) * duration));
  };
  strip.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    event.preventDefault();
    strip.setPointerCapture(event.pointerId);
    const grabbed = /** @type {Element} */ (event.target).closest(".handle");
    const anchor = grabbed ? (grabbed.classList.contains("start") ? chosen.end : chosen.start) : at(event);
    const move = (/** @type {PointerEvent} */ e) => choose(anchor, at(e));
    strip.addEventListener("pointermove", move);
    strip.addEventListener("pointerup", () => {
      strip.removeEventListener("pointermove", move);
      change(chosen.start, chosen.end);
    }, { once: true });
  });
  text.addEventListener("change", () => {
    const typed = parseSpan(text.value);
    if (typed) choose(typed.start, typed.end ?? duration, true);
    else show();
  });

  const draw = async () => {
    const drawn = await peaks.catch(() => null);
    if (drawn && wave.isConnected) drawWaveform(wave, drawn, themeColours()("wave"));
    else if (!drawn) fill(strip, window_, handles);
  };
  requestAnimationFrame(draw);
  window.addEventListener("themechange", draw, { signal });
  show();
  return { element, choose: (/** @type {number} */ a, /** @type {number} */ b) => choose(a, b, true) };
}
