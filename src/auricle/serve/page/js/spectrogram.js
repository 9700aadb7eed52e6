/** A spectrogram of any length, drawn on a canvas from tiles at the zoom that is needed, coarser ones until they come. */

import { isDark } from "./colours.js";
import { loadImage, queue } from "./lazy.js";
import { fitCanvas } from "./waveform.js";

const TILE = 512; // pixels wide
const HEIGHT = 256;
const KEPT = 160; // tiles
const FINEST = 9; // 2^9 pixels per second
export const FLOOR = -90; // dB of the faintest colour: below lies what codecs leave behind
const RETRY = 8; // failed tiles are asked for again after so many seconds

export class Spectrogram {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{api: import("./api.js").Api, recording: string, viewport: import("./viewport.js").Viewport,
   *   axis: import("./frequency.js").FrequencyAxis, signal: AbortSignal}} options
   */
  constructor(canvas, { api, recording, viewport, axis, signal }) {
    this.canvas = canvas;
    this.api = api;
    this.recording = recording;
    this.viewport = viewport;
    this.axis = axis;
    this.signal = signal;
    /** @type {Map<string, HTMLImageElement | "asked">} least recently drawn first */
    this.tiles = new Map();
    this.frame = 0;
    const redraw = () => this.request();
    viewport.addEventListener("change", redraw, { signal });
    window.addEventListener("themechange", redraw, { signal });
    const observer = new ResizeObserver(redraw);
    observer.observe(canvas);
    signal.addEventListener("abort", () => observer.disconnect());
  }

  setAxis(/** @type {import("./frequency.js").FrequencyAxis} */ axis) {
    this.axis = axis;
    this.request();
  }

  /** Draws on the next frame. */
  request() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => !this.signal.aborted && this.draw());
  }

  draw() {
    const { canvas, viewport } = this;
    if (!canvas.clientWidth) return;
    const context = fitCanvas(canvas);
    const perSecond = canvas.clientWidth / viewport.length;
    const wanted = Math.min(FINEST, Math.ceil(Math.log2(perSecond)));
    const coarsest = Math.ceil(Math.log2(canvas.clientWidth / viewport.duration));
    for (let level = Math.min(coarsest, wanted); level <= wanted; level++) {
      const seconds = TILE / 2 ** level;
      const last = Math.floor((viewport.end - 1e-9) / seconds);
      for (let i = Math.floor(viewport.start / seconds); i <= last; i++) this.drawTile(context, level, i, level === wanted);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} level @param {number} index @param {boolean} ask */
  drawTile(context, level, index, ask) {
    const { canvas, viewport } = this;
    const start = (index * TILE) / 2 ** level;
    const end = Math.min(viewport.duration, ((index + 1) * TILE) / 2 ** level);
    const url = this.url(start, end, level);
    const tile = this.tiles.get(url);
    if (tile instanceof HTMLImageElement) {
      this.tiles.delete(url);
      this.tiles.set(url, tile);
      const left = viewport.share(start) * canvas.clientWidth;
      context.drawImage(tile, left, 0, viewport.share(end) * canvas.clientWidth - left, canvas.clientHeight);
    } else if (!tile && ask) this.load(url);
  }

  url(/** @type {number} */ start, /** @type {number} */ end, /** @type {number} */ level) {
    const width = Math.max(1, Math.round((end - start) * 2 ** level));
    return this.api.spectrogramUrl(this.recording, {
      start,
      end,
      width,
      height: HEIGHT,
      scale: this.axis.scale,
      max_frequency: Math.round(this.axis.top),
      floor: FLOOR,
      theme: isDark() ? "dark" : "light",
    });
  }

  load(/** @type {string} */ url) {
    this.tiles.set(url, "asked");
    queue(async () => {
      if (this.signal.aborted) return;
      try {
        this.tiles.set(url, await loadImage(url));
      } catch {
        setTimeout(() => this.tiles.delete(url), RETRY * 1000);
        return;
      }
      for (const [old] of this.tiles) {
        if (this.tiles.size <= KEPT) break;
        this.tiles.delete(old);
      }
      this.request();
    });
  }
}
