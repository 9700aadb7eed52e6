/** Numbers and times as people read them. */

/** Seconds as m:ss.t below an hour, h:mm:ss above: 83.25 -> "1:23.3". */
export function clock(/** @type {number} */ seconds, digits = 1) {
  const whole = Math.max(0, Number(seconds.toFixed(digits)));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(hours ? 0 : digits).padStart(digits && !hours ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A length of time in words: 5400 -> "1 h 30 min". */
export function length(/** @type {number} */ seconds) {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours >= 48 ? `${hours} h` : [`${hours} h`, minutes % 60 && `${minutes % 60} min`].filter(Boolean).join(" ");
}

/** Where in a recording: "0:03.5 – 0:06.0". */
export function span(/** @type {number} */ start, /** @type {number} */ end) {
  return `${clock(start)} – ${clock(end)}`;
}

/** "1 hit", "12 hits". */
export function count(/** @type {number} */ n, /** @type {string} */ one, many = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export function bytes(/** @type {number} */ n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = n > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(n) / 3)) : 0;
  return `${Number((n / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

export function hertz(/** @type {number} */ f) {
  return f >= 1000 ? `${Number((f / 1000).toFixed(1))} kHz` : `${Math.round(f)} Hz`;
}

export function date(/** @type {string} */ iso) {
  return new Date(iso).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
}

/**
 * Reads a stretch of time such as "3.5-6", "1:03 – 1:10" or "@3.5-"; null when it is none.
 * @returns {{start: number, end: number | null} | null}
 */
export function parseSpan(/** @type {string} */ text) {
  const match = text.trim().match(/^@?([\d:.]+)?\s*s?\s*[-–]\s*([\d:.]+)?\s*s?$/);
  if (!match || (!match[1] && !match[2])) return null;
  const [start, end] = [match[1] ? seconds(match[1]) : 0, match[2] ? seconds(match[2]) : null];
  if (Number.isNaN(start) || Number.isNaN(end) || (end !== null && end <= start)) return null;
  return { start, end };
}

function seconds(/** @type {string} */ text) {
  return text.split(":").reduce((total, part) => total * 60 + (part === "" ? NaN : Number(part)), 0);
}
