/** Sounds dropped on the page or recorded here. The server keeps them for an hour; the page keeps what it needs to draw. */

import { ApiError } from "./api.js";
import { peaksOf } from "./waveform.js";

/**
 * @typedef {{id: string, name: string, duration: number, url: string, peaks: import("./waveform.js").Peaks | null,
 *   matches: Promise<import("./api.js").Match[]>}} Upload
 */

const PRINTS = "moco_fingerprint"; // the ear that libraries with fingerprints have been heard by

/** @type {Map<string, Upload>} */
const known = new Map();

/**
 * @param {import("./api.js").Api} api
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<Upload>}
 */
export async function upload(api, blob, name) {
  if (blob.size === 0) throw new ApiError(0, "There is no sound in it", "Record for a second or more, or drop another file");
  const matches = identify(api, blob, name);
  const [{ upload: id, duration }, peaks] = await Promise.all([api.upload(blob, name), decode(blob)]);
  const made = { id, name, duration, url: URL.createObjectURL(blob), peaks, matches };
  known.set(id, made);
  return made;
}

/** What the page knows of an upload; undefined after a reload. */
export function uploaded(/** @type {string} */ id) {
  return known.get(id);
}

/** What the sound is from; nothing when that cannot be told, as of a sound too short, or in a library without prints. */
async function identify(/** @type {import("./api.js").Api} */ api, /** @type {Blob} */ blob, /** @type {string} */ name) {
  try {
    return (await api.listeners()).has(PRINTS) ? await api.identify(blob, name) : [];
  } catch {
    return [];
  }
}

/** Peaks, or null when the browser cannot decode what the server can. */
async function decode(/** @type {Blob} */ blob) {
  const context = new OfflineAudioContext(1, 1, 44_100);
  try {
    return peaksOf(await context.decodeAudioData(await blob.arrayBuffer()));
  } catch {
    return null;
  }
}
