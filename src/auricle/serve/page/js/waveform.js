/** Waveforms: peaks of a sound, and their drawing. */

/** @typedef {{min: ArrayLike<number>, max: ArrayLike<number>}} Peaks one pair for each column, in [-1, 1] */

/** @returns {Peaks} the extremes of `columns` equal stretches of a decoded sound, all channels together */
export function peaksOf(/** @type {AudioBuffer} */ buffer, columns = 600) {
  const min = new Float32Array(columns);
  const max = new Float32Array(columns);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) {
      const column = Math.floor((i * columns) / samples.length);
      if (samples[i] < min[column]) min[column] = samples[i];
      if (samples[i] > max[column]) max[column] = samples[i];
    }
  }
  return { min, max };
}

/** Sizes a canvas to its box in device pixels. @returns {CanvasRenderingContext2D} scaled to CSS pixels */
export function fitCanvas(/** @type {HTMLCanvasElement} */ canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

/**
 * Fills a canvas with a waveform, scaled so that the loudest peak reaches the edge.
 * @param {HTMLCanvasElement} canvas
 * @param {Peaks} peaks
 * @param {string} colour
 */
export function drawWaveform(canvas, peaks, colour) {
  const context = fitCanvas(canvas);
  const { clientWidth: width, clientHeight: height } = canvas;
  const n = peaks.min.length;
  let loudest = 0.02; // near silence stays a thin line
  for (let i = 0; i < n; i++) loudest = Math.max(loudest, -peaks.min[i], peaks.max[i]);
  const y = (/** @type {number} */ value) => (height / 2) * (1 - value / loudest);
  context.fillStyle = colour;
  for (let i = 0; i < n; i++) {
    const top = y(peaks.max[i]);
    context.fillRect((i * width) / n, top, Math.max(0.6, width / n), Math.max(1, y(peaks.min[i]) - top));
  }
}
