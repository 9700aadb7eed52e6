/** The stretch of a recording that is on screen. Fires "change". */

const SHORTEST = 0.05; // seconds

export class Viewport extends EventTarget {
  constructor(/** @type {number} */ duration) {
    super();
    this.duration = duration;
    this.start = 0;
    this.end = duration;
  }

  get length() {
    return this.end - this.start;
  }

  /** Shows `start` to `end`, as far as the recording reaches. */
  set(/** @type {number} */ start, /** @type {number} */ end) {
    const length = Math.min(this.duration, Math.max(SHORTEST, end - start));
    this.start = Math.max(0, Math.min(start, this.duration - length));
    this.end = this.start + length;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} factor above 1 zooms in @param {number} around seconds that stay where they are */
  zoom(factor, around = (this.start + this.end) / 2) {
    const length = Math.min(this.duration, Math.max(SHORTEST, this.length / factor));
    const share = (around - this.start) / this.length;
    this.set(around - share * length, around + (1 - share) * length);
  }

  pan(/** @type {number} */ seconds) {
    this.set(this.start + seconds, this.end + seconds);
  }

  fit() {
    this.set(0, this.duration);
  }

  /** Moves, if need be, so that `start` to `end` can be seen. */
  reveal(/** @type {number} */ start, end = start) {
    if (start >= this.start && end <= this.end) return;
    const length = Math.max(this.length, (end - start) * 1.5);
    const from = end - start > this.length ? start - (end - start) / 4 : start - length * 0.1;
    this.set(from, from + length);
  }

  /** Share of the width at which `t` lies; outside [0, 1] when it is not on screen. */
  share(/** @type {number} */ t) {
    return (t - this.start) / this.length;
  }

  at(/** @type {number} */ share) {
    return this.start + share * this.length;
  }
}

/** Round times, at most about `most` of them, inside the viewport. */
export function ticks(/** @type {Viewport} */ viewport, most = 8) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
  const step = steps.find((s) => viewport.length / s <= most) ?? 86400;
  const first = Math.ceil(viewport.start / step - 1e-6);
  const times = [];
  for (let i = first; i * step <= viewport.end + 1e-6; i++) times.push(i * step);
  return { times, digits: step < 0.1 ? 2 : step < 1 ? 1 : 0 };
}
