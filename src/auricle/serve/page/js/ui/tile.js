/** A small picture of a hit in its surroundings: spectrogram above, waveform below, the hit marked. Pressing it plays. */

import { isDark, themeColours } from "../colours.js";
import { h, icon } from "../dom.js";
import { span } from "../format.js";
import { loadImage, whenSeen } from "../lazy.js";
import { FLOOR } from "../spectrogram.js";
import { drawWaveform } from "../waveform.js";

const SHORTEST = 4; // seconds shown at least
const AROUND = 1.6; // times the length of the hit
const PIXELS = { width: 288, height: 64 };

/** The stretch of the recording that is shown around a hit. */
function surroundings(/** @type {import("../api.js").Hit} */ hit) {
  const shown = Math.min(hit.duration, Math.max(SHORTEST, (hit.end - hit.start) * AROUND));
  const start = Math.max(0, Math.min(hit.duration - shown, (hit.start + hit.end - shown) / 2));
  return { start, end: start + shown };
}

/**
 * @param {import("../api.js").Hit} hit
 * @param {import("../main.js").App} app
 * @param {AbortSignal} signal ends when the tile is no longer shown
 */
export function tile(hit, { api, player }, signal) {
  const piece = { recording: hit.recording, name: hit.name, start: hit.start, end: hit.end };
  const shown = surroundings(hit);
  const percent = (/** @type {number} */ t) => `${(100 * (t - shown.start)) / Math.max(1e-6, shown.end - shown.start)}%`;

  const picture = h("img", { alt: "", decoding: "async", draggable: "false" });
  const wave = h("canvas");
  const cursor = h("span.cursor", { hidden: true });
  const sign = h("span.sign", {}, icon("play"));
  const element = h(
    "button.tile",
    { type: "button", "aria-label": `Play ${hit.name}, ${span(hit.start, hit.end)}`, onclick: () => player.toggle(piece) },
    picture,
    wave,
    h("span.before", { style: { width: percent(hit.start) } }),
    h("span.after", { style: { left: percent(hit.end) } }),
    h("span.mark", { style: { left: percent(hit.start), right: `calc(100% - ${percent(hit.end)})` } }),
    cursor,
    sign,
  );

  const paint = async () => {
    const options = { ...shown, ...PIXELS, scale: "mel", floor: FLOOR, theme: isDark() ? "dark" : "light" };
    const url = api.spectrogramUrl(hit.recording, options);
    await loadImage(url);
    picture.src = url;
    picture.classList.add("loaded");
  };
  /** @type {import("../waveform.js").Peaks | null} */
  let peaks = null;
  const draw = () => peaks && wave.isConnected && drawWaveform(wave, peaks, themeColours()("wave"));
  whenSeen(element, async () => {
    if (signal.aborted) return;
    await paint();
    peaks = await api.peaks(hit.recording, shown.start, shown.end, 144, signal);
    draw();
  });
  window.addEventListener("themechange", () => peaks && paint().then(draw, () => {}), { signal });

  player.addEventListener("time", () => {
    const mine = player.holds(piece);
    if (!mine && cursor.hidden) return;
    cursor.hidden = !mine;
    element.classList.toggle("playing", mine && player.playing);
    if (mine) cursor.style.left = percent(player.position);
  }, { signal });
  player.addEventListener("change", () => {
    const playing = player.holds(piece) && player.playing;
    if (sign.dataset.playing === String(playing)) return;
    sign.dataset.playing = String(playing);
    sign.replaceChildren(icon(playing ? "pause" : "play"));
  }, { signal });
  return { element, toggle: () => player.toggle(piece), play: () => player.play(piece), piece };
}
