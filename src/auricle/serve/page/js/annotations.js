/**
 * What was heard in one recording and what people say about it, with every change sent to the library. Fires "change".
 *
 * @typedef {{key: string, start: number, end: number, name: string, low: number | null, high: number | null,
 *   event: import("./api.js").MachineEvent | null, label: import("./api.js").Label | null}} Item
 *   an event, a label, or an event with the label that answers it
 */

export class Annotations extends EventTarget {
  /** @param {import("./api.js").Api} api @param {string} recording */
  constructor(api, recording) {
    super();
    this.api = api;
    this.recording = recording;
    /** @type {import("./api.js").MachineEvent[]} */
    this.events = [];
    /** @type {import("./api.js").Label[]} */
    this.labels = [];
    /** @type {Item[]} */
    this.items = [];
    this.problem = /** @type {unknown} */ (null);
  }

  async load() {
    // An ear without classes names no events; labels work all the same.
    const [events, labels] = await Promise.allSettled([this.api.events(this.recording), this.api.labels(this.recording)]);
    this.events = events.status === "fulfilled" ? events.value : [];
    this.problem = labels.status === "rejected" ? labels.reason : events.status === "rejected" ? events.reason : null;
    this.setLabels(labels.status === "fulfilled" ? labels.value : []);
  }

  async reload() {
    this.setLabels(await this.api.labels(this.recording));
  }

  setLabels(/** @type {import("./api.js").Label[]} */ labels) {
    this.labels = labels;
    const answers = new Map(labels.filter(({ event }) => event).map((label) => [keyOf(/** @type {any} */ (label.event)), label]));
    const used = new Set();
    const fromEvents = this.events.map((event) => {
      const label = answers.get(keyOf(event)) ?? null;
      if (label) used.add(label.id);
      return item(event, label);
    });
    this.items = [...fromEvents, ...labels.filter(({ id }) => !used.has(id)).map((label) => item(null, label))];
    this.items.sort((a, b) => a.start - b.start || a.end - b.end || a.name.localeCompare(b.name));
    this.dispatchEvent(new Event("change"));
  }

  /** Confirms or rejects; saying the same again takes it back. */
  async judge(/** @type {Item} */ item, /** @type {"confirmed" | "rejected"} */ verdict) {
    if (item.label?.verdict === verdict && item.event) await this.api.removeLabel(item.label.id);
    else if (item.label) await this.api.changeLabel(item.label.id, { verdict });
    else await this.api.addLabel(this.recording, { ...answer(item), label: item.name, verdict });
    await this.reload();
  }

  async rename(/** @type {Item} */ item, /** @type {string} */ label) {
    if (item.label) await this.api.changeLabel(item.label.id, item.event ? { label, verdict: "renamed" } : { label });
    else await this.api.addLabel(this.recording, { ...answer(item), label, verdict: "renamed" });
    await this.reload();
  }

  /** @param {{start: number, end: number, low: number | null, high: number | null, label: string}} region */
  async draw(region) {
    const { id } = await this.api.addLabel(this.recording, { ...region, verdict: "drawn" });
    await this.reload();
    return this.items.find(({ label }) => label?.id === id);
  }

  async remove(/** @type {import("./api.js").Label} */ label) {
    await this.api.removeLabel(label.id);
    await this.reload();
  }

  async undo() {
    const undone = await this.api.undoLabel();
    await this.reload();
    return undone;
  }
}

/** @returns {Item} */
function item(/** @type {import("./api.js").MachineEvent | null} */ event, /** @type {import("./api.js").Label | null} */ label) {
  const shown = /** @type {any} */ (label ?? event);
  return {
    key: event ? keyOf(event) : shown.id,
    start: shown.start,
    end: shown.end,
    name: shown.label,
    low: label?.low ?? null,
    high: label?.high ?? null,
    event,
    label,
  };
}

function answer(/** @type {Item} */ { start, end, event }) {
  if (!event) return { start, end, event };
  return { start, end, event: { start: event.start, end: event.end, label: event.label, score: event.score } };
}

function keyOf(/** @type {import("./api.js").MachineEvent} */ { start, end, label }) {
  return `${start.toFixed(3)} ${end.toFixed(3)} ${label}`;
}
