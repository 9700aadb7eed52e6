/**
 * The HTTP API, version 1, as functions. Shapes are in the OpenAPI document at /api/v1/openapi.json.
 *
 * @typedef {{label: string, score: number}} Tag
 * @typedef {{id: string, path: string, name: string, folder: string, duration: number, sample_rate: number, channels: number,
 *   format: string, recorded: string | null, title: string, artist: string, latitude: number | null,
 *   longitude: number | null, tags: Tag[]}} Recording
 * @typedef {Recording & {paths: string[], available: boolean}} RecordingDetail
 * @typedef {{recording: string, start: number, end: number}} Stretch
 * @typedef {Stretch & {path: string, name: string, score: number, duration: number, tags: Tag[]}} Hit
 * @typedef {Stretch & {path: string, name: string, score: number, offset: number, speed: number, pitch: number}} Match
 * @typedef {{recording: string, path: string, name: string, score: number}} Version
 * @typedef {{start: number, end: number, label: string, score: number}} MachineEvent
 * @typedef {{id: string, start: number, end: number, low: number | null, high: number | null, label: string,
 *   verdict: "confirmed" | "rejected" | "drawn" | "renamed", event: MachineEvent | null, version: number,
 *   created: string}} Label
 * @typedef {{name: string, positives: number, negatives: number, accuracy: number | null}} Taught
 * @typedef {{hits: Hit[], more: boolean, windows: number, served_by: string, best: number, took: number}} Answer
 */

const BASE = "/api/v1";
const RETRIES = 3; // when the server says that it is busy
const PATIENCE = 400; // ms before the first retry; doubles

export class ApiError extends Error {
  /**
   * @param {number} status 0 when the server cannot be reached
   * @param {string} problem
   * @param {string} remedy
   */
  constructor(status, problem, remedy = "") {
    super(problem);
    this.status = status;
    this.problem = problem;
    this.remedy = remedy;
  }
}

export class Api {
  constructor(/** @type {string} */ library) {
    this.library = library;
  }

  get root() {
    return `${BASE}/libraries/${encodeURIComponent(this.library)}`;
  }

  /**
   * @param {string} path below the API's base, or below the library when it starts with "./"
   * @param {RequestInit & {json?: any}} [options]
   * @returns {Promise<any>}
   */
  async call(path, { json, ...options } = {}) {
    const response = await this.fetch(path, json === undefined ? options : { ...options, ...asJson(json) });
    return response.status === 204 ? null : response.json();
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   */
  async fetch(path, options = {}) {
    const url = path.startsWith("./") ? this.root + path.slice(1) : BASE + path;
    for (let attempt = 0; ; attempt++) {
      const response = await reach(url, options);
      if (response.ok) return response;
      const busy = response.status === 503 || response.status === 429;
      if (!busy || attempt >= RETRIES) throw await toError(response);
      await new Promise((resolve) => setTimeout(resolve, PATIENCE * 2 ** attempt));
      options.signal?.throwIfAborted();
    }
  }

  // --- addresses the browser itself fetches ---

  /** @param {string} recording @param {{start?: number, end?: number}} [range] */
  audioUrl(recording, { start, end } = {}) {
    const range = start === undefined || end === undefined ? { play: 1 } : { start: round(start), end: round(end) };
    return `${this.root}/recordings/${recording}/audio?${query(range)}`;
  }

  /** @param {string} recording @param {Record<string, any>} options start, end, width, height, scale, max_frequency, floor, theme */
  spectrogramUrl(recording, options) {
    const { start, end, ...rest } = options;
    return `${this.root}/recordings/${recording}/spectrogram?${query({ start: round(start), end: round(end), ...rest })}`;
  }

  exportUrl(/** @type {string} */ recording, /** @type {string} */ format, /** @type {string} */ what) {
    return `${this.root}/recordings/${recording}/export?${query({ format, what })}`;
  }

  downloadUrl(/** @type {string} */ collection, /** @type {"zip" | "m3u8"} */ as) {
    return `${this.root}/collections/${collection}/download?${query({ as })}`;
  }

  // --- asking ---

  libraries = () => this.call("/libraries").then(items);
  stats = () => this.call("./stats");

  /** The systems that have listened to this library, without their tags. */
  async listeners() {
    const { ears } = await this.stats();
    return new Set(Object.keys(ears).map((ear) => ear.split("@")[0]));
  }

  facets = () => this.call("./facets");

  /** @param {any} body @param {AbortSignal} [signal] @returns {Promise<Answer>} */
  search = (body, signal) => this.call("./search", { method: "POST", json: body, signal });

  /** @param {Record<string, any>} options */
  recordings = (options) => this.call(`./recordings?${query(options)}`);

  /** @returns {Promise<RecordingDetail>} */
  recording = (/** @type {string} */ id) => this.call(`./recordings/${id}`);

  /** @returns {Promise<{points: number, min: number[], max: number[]}>} */
  peaks = (/** @type {string} */ id, /** @type {number} */ start, /** @type {number} */ end, /** @type {number} */ points,
    /** @type {AbortSignal} */ signal) =>
    this.call(`./recordings/${id}/peaks?${query({ start: round(start), end: round(end), points })}`, { signal });

  /** @returns {Promise<MachineEvent[]>} */
  events = (/** @type {string} */ id) => this.call(`./recordings/${id}/events`).then(items);

  /** @returns {Promise<{upload: string, duration: number}>} */
  upload = (/** @type {Blob} */ blob, /** @type {string} */ name) => {
    const form = new FormData();
    form.append("file", blob, name);
    return this.call("./uploads", { method: "POST", body: form });
  };

  /** Which recordings a clip is from. @returns {Promise<Match[]>} */
  identify = (/** @type {Blob} */ blob, /** @type {string} */ name) => {
    const form = new FormData();
    form.append("file", blob, name);
    return this.call(`./identify?${query({ limit: 3 })}`, { method: "POST", body: form }).then(items);
  };

  /** Other performances of the same work. @returns {Promise<Version[]>} */
  versions = (/** @type {string} */ id) => this.call(`./recordings/${id}/versions`).then(items);

  /** Who speaks when. @returns {Promise<{speaker: string, start: number, end: number, score: number}[]>} */
  speakers = (/** @type {string} */ id) => this.call(`./recordings/${id}/speakers`).then(items);

  // --- correcting ---

  /** @returns {Promise<Label[]>} */
  labels = (/** @type {string} */ id) => this.call(`./recordings/${id}/labels`).then(items);
  addLabel = (/** @type {string} */ id, /** @type {any} */ label) =>
    this.call(`./recordings/${id}/labels`, { method: "POST", json: label });
  changeLabel = (/** @type {string} */ id, /** @type {any} */ facts) =>
    this.call(`./labels/${id}`, { method: "PATCH", json: facts });
  removeLabel = (/** @type {string} */ id) => this.call(`./labels/${id}`, { method: "DELETE" });
  undoLabel = () => this.call("./labels/undo", { method: "POST" });

  // --- collecting ---

  collections = () => this.call(`./collections?${query({ limit: 500 })}`).then(items);
  collection = (/** @type {string} */ id) => this.call(`./collections/${id}`);
  addCollection = (/** @type {string} */ name) => this.call("./collections", { method: "POST", json: { name } });
  renameCollection = (/** @type {string} */ id, /** @type {string} */ name) =>
    this.call(`./collections/${id}`, { method: "PATCH", json: { name } });
  removeCollection = (/** @type {string} */ id) => this.call(`./collections/${id}`, { method: "DELETE" });
  undoCollection = () => this.call("./collections/undo", { method: "POST" });
  addItems = (/** @type {string} */ id, /** @type {Stretch[]} */ stretches) =>
    this.call(`./collections/${id}/items`, { method: "POST", json: { items: stretches } });
  removeItem = (/** @type {string} */ id, /** @type {string} */ item) =>
    this.call(`./collections/${id}/items/${item}`, { method: "DELETE" });

  // --- teaching ---

  taught = () => this.call("./teach").then(items);
  teach = (/** @type {any} */ lesson) => this.call("./teach", { method: "POST", json: lesson });
  forget = (/** @type {string} */ name) => this.call(`./teach/${encodeURIComponent(name)}`, { method: "DELETE" });
  recall = (/** @type {string} */ name) => this.call(`./teach/${encodeURIComponent(name)}/undo`, { method: "POST" });
  ranked = (/** @type {string} */ name, /** @type {"ranked" | "uncertain"} */ order, limit = 20) =>
    this.call(`./teach/${encodeURIComponent(name)}/${order}?${query({ limit })}`).then(hits);

  // --- listening ---

  index = (/** @type {string[]} */ paths) => this.call("./index", { method: "POST", json: { paths } });
  quarantine = () => this.call(`./quarantine?${query({ limit: 500 })}`).then(items);
  stop = (/** @type {string} */ job) => this.call(`/jobs/${job}`, { method: "DELETE" });
  jobEvents = (/** @type {string} */ job) => new EventSource(`${BASE}/jobs/${job}/events`);

  /** The map, or `{progress}` while it is being drawn up. */
  async map(/** @type {"tag" | "folder"} */ colour) {
    const response = await this.fetch(`./map?${query({ colour })}`);
    const body = await response.json();
    return response.status === 202 ? { progress: body.progress ?? body.done ?? 0 } : body;
  }
}

function asJson(/** @type {any} */ value) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

async function reach(/** @type {string} */ url, /** @type {RequestInit} */ options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer", "See whether auricle serve is still running, then try again");
  }
}

async function toError(/** @type {Response} */ response) {
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error.problem, error.remedy);
  } catch {
    return new ApiError(response.status, `The server answered ${response.status} ${response.statusText}`, "Try again");
  }
}

function query(/** @type {Record<string, any>} */ options) {
  return new URLSearchParams(Object.entries(options).filter(([, v]) => v !== undefined && v !== null && v !== ""));
}

/** Times to the millisecond, so that the same excerpt is the same address and comes from the browser's cache. */
const round = (/** @type {number} */ seconds) => Math.round(seconds * 1000) / 1000;
const items = (/** @type {any} */ page) => (Array.isArray(page) ? page : page.items);
const hits = (/** @type {any} */ answer) => answer.hits ?? items(answer);
