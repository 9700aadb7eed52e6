/** Points on a canvas that can be zoomed, panned, hovered and lassoed. Knows nothing of recordings. */

import { fitCanvas } from "./waveform.js";

const RADIUS = { least: 1.6, most: 6, area: 2500 }; // pixels: points together fill about so much of the board
const REACH = 12; // pixels from the pointer within which a point is found
const MARGIN = 0.06; // of the canvas around all points
const CLICK = 4; // pixels a pointer may move and still click
const CELLS = 64; // of the grid that finds points, on each side

/** @typedef {[number, number][]} Polygon */

export class Scatter extends EventTarget {
  /** @param {HTMLCanvasElement} canvas @param {AbortSignal} signal */
  constructor(canvas, signal) {
    super();
    this.canvas = canvas;
    /** @type {Float32Array} x and y of every point, each in [0, 1] */
    this.xy = new Float32Array();
    /** @type {number[][]} points of each cell */
    this.grid = [];
    /** @type {(i: number) => string | null} colour of a point; null hides it */
    this.colour = () => "gray";
    this.outline = "gray";
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.hovered = -1;
    /** @type {Set<number>} */
    this.chosen = new Set();
    this.lassoing = false;
    /** @type {Polygon} in pixels */
    this.lasso = [];
    this.frame = 0;
    this.listen(signal);
    const observer = new ResizeObserver(() => this.request());
    observer.observe(canvas);
    signal.addEventListener("abort", () => observer.disconnect());
  }

  /** @param {number[][]} points whose first two numbers are x and y, in any units */
  setPoints(points) {
    const bounds = [0, 1].map((k) => points.reduce(([a, b], p) => [Math.min(a, p[k]), Math.max(b, p[k])], [Infinity, -Infinity]));
    this.xy = new Float32Array(2 * points.length);
    this.grid = Array.from({ length: CELLS * CELLS }, () => []);
    points.forEach((point, i) => {
      for (const k of [0, 1]) {
        const [low, high] = bounds[k];
        this.xy[2 * i + k] = high > low ? (point[k] - low) / (high - low) : 0.5;
      }
      this.grid[cell(this.xy[2 * i + 1]) * CELLS + cell(this.xy[2 * i])].push(i);
    });
    this.chosen.clear();
    this.request();
  }

  get scale() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [width * (1 - 2 * MARGIN) * this.view.zoom, height * (1 - 2 * MARGIN) * this.view.zoom];
  }

  /** Pixel of a point. */
  pixel(/** @type {number} */ i) {
    const [sx, sy] = this.scale;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [width / 2 + (this.xy[2 * i] - this.view.x) * sx, height / 2 + (this.xy[2 * i + 1] - this.view.y) * sy];
  }

  zoom(/** @type {number} */ factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const before = this.unproject(x, y);
    this.view.zoom = Math.max(1, Math.min(200, this.view.zoom * factor));
    const after = this.unproject(x, y);
    this.moveTo(this.view.x + before[0] - after[0], this.view.y + before[1] - after[1]);
  }

  moveTo(/** @type {number} */ x, /** @type {number} */ y) {
    const free = 0.5 - 0.5 / this.view.zoom; // how far the middle may stray from the middle of all points
    this.view.x = Math.max(0.5 - free, Math.min(0.5 + free, x));
    this.view.y = Math.max(0.5 - free, Math.min(0.5 + free, y));
    this.request();
  }

  unproject(/** @type {number} */ px, /** @type {number} */ py) {
    const [sx, sy] = this.scale;
    return [this.view.x + (px - this.canvas.clientWidth / 2) / sx, this.view.y + (py - this.canvas.clientHeight / 2) / sy];
  }

  /** The visible point nearest to a pixel, or -1. */
  find(/** @type {number} */ px, /** @type {number} */ py) {
    if (!this.grid.length) return -1;
    const [x0, y0] = this.unproject(px - REACH, py - REACH).map(cell);
    const [x1, y1] = this.unproject(px + REACH, py + REACH).map(cell);
    let [best, nearest] = [-1, REACH];
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        for (const i of this.grid[y * CELLS + x]) {
          const [qx, qy] = this.pixel(i);
          const distance = Math.hypot(qx - px, qy - py);
          if (distance < nearest && this.colour(i) !== null) [best, nearest] = [i, distance];
        }
      }
    }
    return best;
  }

  listen(/** @type {AbortSignal} */ signal) {
    const { canvas } = this;
    const at = (/** @type {PointerEvent | WheelEvent} */ event) => {
      const { left, top } = canvas.getBoundingClientRect();
      return /** @type {[number, number]} */ ([event.clientX - left, event.clientY - top]);
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0025), ...at(event));
    }, { signal, passive: false });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) return;
      const found = this.find(...at(event));
      if (found === this.hovered) return;
      this.hovered = found;
      this.request();
      this.dispatchEvent(new CustomEvent("hover", { detail: found }));
    }, { signal });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const start = at(event);
      const { x, y } = this.view;
      const lasso = this.lassoing || event.shiftKey;
      let moved = false;
      if (lasso) this.lasso = [start];
      const gesture = new AbortController();
      canvas.addEventListener("pointermove", (e) => {
        const now = at(e);
        moved ||= Math.hypot(now[0] - start[0], now[1] - start[1]) > CLICK;
        if (lasso) {
          const between = e.getCoalescedEvents(); // where the pointer was since the last frame
          this.lasso.push(...(between.length ? between.map(at) : [now]));
          this.request();
        } else if (moved) this.moveTo(x - (now[0] - start[0]) / this.scale[0], y - (now[1] - start[1]) / this.scale[1]);
      }, { signal: gesture.signal });
      const end = () => {
        gesture.abort();
        if (lasso && this.lasso.length > 2) this.choose(this.lasso);
        else if (!moved) this.dispatchEvent(new CustomEvent("pick", { detail: this.find(...start) }));
        this.lasso = [];
        this.request();
      };
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end, { signal: gesture.signal });
    }, { signal });
  }

  choose(/** @type {Polygon} */ polygon) {
    this.chosen.clear();
    for (let i = 0; i < this.xy.length / 2; i++) {
      if (this.colour(i) !== null && inside(this.pixel(i), polygon)) this.chosen.add(i);
    }
    this.dispatchEvent(new Event("choose"));
  }

  request() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { canvas } = this;
    if (!canvas.clientWidth) return;
    const context = fitCanvas(canvas);
    const share = Math.sqrt(RADIUS.area / Math.max(1, this.xy.length / 2));
    const radius = Math.max(RADIUS.least, Math.min(RADIUS.most, share)) * this.view.zoom ** 0.25;
    const some = this.chosen.size > 0;
    for (let i = 0; i < this.xy.length / 2; i++) {
      const colour = this.colour(i);
      const [x, y] = this.pixel(i);
      if (colour === null || x < -9 || y < -9 || x > canvas.clientWidth + 9 || y > canvas.clientHeight + 9) continue;
      context.globalAlpha = some && !this.chosen.has(i) ? 0.2 : 0.85;
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = this.outline;
    context.lineWidth = 2;
    if (this.hovered >= 0 && this.hovered < this.xy.length / 2) {
      const [x, y] = this.pixel(this.hovered);
      context.beginPath();
      context.arc(x, y, radius + 3, 0, 2 * Math.PI);
      context.stroke();
    }
    if (this.lasso.length > 1) {
      context.setLineDash([5, 4]);
      context.beginPath();
      this.lasso.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.stroke();
      context.setLineDash([]);
    }
  }
}

const cell = (/** @type {number} */ share) => Math.max(0, Math.min(CELLS - 1, Math.floor(share * CELLS)));

/** Whether a point lies in a polygon: a ray to the right crosses its outline an odd number of times. */
export function inside(/** @type {number[]} */ [x, y], /** @type {Polygon} */ polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
