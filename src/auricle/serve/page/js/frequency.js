/** Where a frequency lies on the vertical axis of a spectrogram. */

const mel = (/** @type {number} */ hertz) => 1127 * Math.log1p(hertz / 700); // HTK, as the server draws it
const hertz = (/** @type {number} */ mels) => 700 * Math.expm1(mels / 1127);

export class FrequencyAxis {
  /** @param {"mel" | "linear"} scale @param {number} top Hz at the upper edge */
  constructor(scale, top) {
    this.scale = scale;
    this.top = top;
  }

  /** Share of the height, from the bottom. */
  share(/** @type {number} */ f) {
    return this.scale === "mel" ? mel(f) / mel(this.top) : f / this.top;
  }

  at(/** @type {number} */ share) {
    const within = Math.max(0, Math.min(1, share));
    return this.scale === "mel" ? hertz(within * mel(this.top)) : within * this.top;
  }

  /** Round frequencies that are far enough apart to be read. */
  ticks(closest = 0.085) {
    const round = this.scale === "mel"
      ? [100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000]
      : Array.from({ length: 12 }, (_, i) => (i + 1) * niceStep(this.top / 6));
    let last = -1;
    return round.filter((f) => {
      const share = this.share(f);
      if (share > 1 - closest / 3 || share - last < closest) return false;
      last = share;
      return true;
    });
  }
}

function niceStep(/** @type {number} */ atLeast) {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return power * ([1, 2, 5].find((m) => m * power >= atLeast) ?? 10);
}
