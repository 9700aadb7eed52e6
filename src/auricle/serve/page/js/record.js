/** Records from the microphone and writes a WAV file itself, so that the server needs no codec for it. */

const LONGEST = 120; // seconds: an example, not an archive

export class Recording {
  /**
   * Asks for the microphone and starts.
   * @param {(seconds: number, level: number) => void} progress called for every block; level is the peak in [0, 1]
   * @returns {Promise<Recording>}
   */
  static async start(progress) {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    });
    const context = new AudioContext();
    await context.audioWorklet.addModule(new URL("./recorder-worklet.js", import.meta.url));
    return new Recording(stream, context, progress);
  }

  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {(seconds: number, level: number) => void} progress
   */
  constructor(stream, context, progress) {
    this.stream = stream;
    this.context = context;
    /** @type {Float32Array[]} */
    this.blocks = [];
    this.samples = 0;
    const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => {
      if (this.samples >= LONGEST * context.sampleRate) return;
      this.blocks.push(data);
      this.samples += data.length;
      progress(this.samples / context.sampleRate, data.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0));
    };
    context.createMediaStreamSource(stream).connect(node);
  }

  /** Stops and returns the sound as a WAV file. */
  async stop() {
    for (const track of this.stream.getTracks()) track.stop();
    const rate = this.context.sampleRate;
    await this.context.close();
    return encodeWav(this.blocks, rate);
  }
}

/** Mono 16-bit PCM WAV. @param {Float32Array[]} blocks @param {number} rate Hz */
export function encodeWav(blocks, rate) {
  const samples = blocks.reduce((total, block) => total + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples));
  const text = (/** @type {number} */ at, /** @type {string} */ s) =>
    [...s].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // length of the format chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes per second
  view.setUint16(32, 2, true); // bytes per frame
  view.setUint16(34, 16, true); // bits
  text(36, "data");
  view.setUint32(40, 2 * samples, true);
  let at = 44;
  for (const block of blocks) {
    for (const value of block) {
      view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, value))), true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
