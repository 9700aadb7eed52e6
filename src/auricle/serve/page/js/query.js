/**
 * A query in its three shapes: what people edit, what the address bar holds, what the API is asked.
 *
 * In the box, phrases are mixed with " + ", taken away with " - " and weighed with "^": "rain^2 + thunder - speech".
 *
 * @typedef {{text: string, weight: number}} Words
 * @typedef {{recording?: string, upload?: string, start?: number, end?: number, weight: number}} Example
 * @typedef {{tags: string[], folder: string, min_duration: string, max_duration: string, after: string, before: string}} Filters
 * @typedef {{text: string, like: Example[], without: Example[], filters: Filters, hidden: string[], single: boolean,
 *   all: boolean}} Query
 */

const ID = /^[0-9A-Za-z_-]+$/;

/** @returns {Query} */
export function emptyQuery() {
  const filters = { tags: [], folder: "", min_duration: "", max_duration: "", after: "", before: "" };
  return { text: "", like: [], without: [], filters, hidden: [], single: false, all: false };
}

/** @returns {Query} */
export function fromParams(/** @type {URLSearchParams} */ params) {
  const text = (/** @type {string} */ name) => params.get(name) ?? "";
  return {
    text: text("q"),
    like: params.getAll("like").map(parseExample).filter((e) => e !== null),
    without: params.getAll("not").map(parseExample).filter((e) => e !== null),
    filters: {
      tags: params.getAll("tag"),
      folder: text("folder"),
      min_duration: text("min"),
      max_duration: text("max"),
      after: text("after"),
      before: text("before"),
    },
    hidden: text("hide").split(".").filter((id) => ID.test(id)),
    single: params.has("single"),
    all: params.has("all"),
  };
}

export function toParams(/** @type {Query} */ query) {
  const { filters } = query;
  const pairs = [
    ["q", query.text.trim()],
    ...query.like.map((example) => ["like", formatExample(example)]),
    ...query.without.map((example) => ["not", formatExample(example)]),
    ...filters.tags.map((tag) => ["tag", tag]),
    ["folder", filters.folder],
    ["min", filters.min_duration],
    ["max", filters.max_duration],
    ["after", filters.after],
    ["before", filters.before],
    ["hide", query.hidden.join(".")],
    ["single", query.single ? "1" : ""],
    ["all", query.all ? "1" : ""],
  ];
  return new URLSearchParams(pairs.filter(([, value]) => value !== ""));
}

/** Whether there is anything to look for. */
export function asksSomething(/** @type {Query} */ query) {
  return query.like.length > 0 || parseWords(query.text).some((words) => words.weight > 0);
}

/** The body of POST /search. */
export function toBody(/** @type {Query} */ query, /** @type {{limit: number, offset: number}} */ page) {
  const words = parseWords(query.text);
  const { filters, hidden } = query;
  return {
    words: words.filter(({ weight }) => weight > 0),
    like: query.like,
    without: [
      ...query.without,
      ...words.filter(({ weight }) => weight < 0).map(({ text, weight }) => ({ text, weight: -weight })),
    ],
    filters: {
      tags: filters.tags,
      folder: filters.folder || null,
      min_duration: number(filters.min_duration),
      max_duration: number(filters.max_duration),
      after: filters.after || null,
      before: filters.before ? `${filters.before}T23:59:59` : null, // the whole day
      where: hidden.length ? `id NOT IN (${hidden.map((id) => `'${id}'`).join(", ")})` : null,
    },
    min_score: query.all ? 0 : null,
    one_per_recording: query.single,
    ...page,
  };
}

/** @returns {Words[]} */
export function parseWords(/** @type {string} */ text) {
  return text
    .split(/(?:^|\s+)(?=[+-]\s)/)
    .map((phrase) => phrase.trim())
    .filter(Boolean)
    .map((phrase) => {
      const sign = phrase.startsWith("- ") ? -1 : 1;
      const bare = phrase.replace(/^[+-]\s+/, "");
      const match = bare.match(/^(.*)\^(\d+(?:\.\d+)?)$/);
      const weight = match ? Number(match[2]) : 1;
      return { text: (match ? match[1] : bare).trim(), weight: sign * weight };
    })
    .filter((words) => words.text && words.weight);
}

/** "r.ID@3.5-6^0.5": a recording (r) or an upload (u), a stretch, a weight. */
function formatExample(/** @type {Example} */ example) {
  const source = example.recording ? `r.${example.recording}` : `u.${example.upload}`;
  const stretch = example.start === undefined ? "" : `@${short(example.start)}-${short(example.end ?? example.start)}`;
  return source + stretch + (example.weight === 1 ? "" : `^${example.weight}`);
}

/** @returns {Example | null} */
function parseExample(/** @type {string} */ text) {
  const match = text.match(/^([ru])\.([0-9A-Za-z_-]+)(?:@([\d.]+)-([\d.]+))?(?:\^([\d.]+))?$/);
  if (!match) return null;
  const [, kind, id, start, end, weight] = match;
  return {
    ...(kind === "r" ? { recording: id } : { upload: id }),
    ...(start === undefined ? {} : { start: Number(start), end: Number(end) }),
    weight: weight === undefined ? 1 : Number(weight),
  };
}

const short = (/** @type {number} */ seconds) => String(Math.round(seconds * 100) / 100);
const number = (/** @type {string} */ text) => (text === "" ? null : Number(text));
