/** The library: what is in it, which folders it listens to, what could not be heard; indexing with live progress. */

import { fill, h, icon } from "../dom.js";
import { bytes, count, length } from "../format.js";
import { href } from "../router.js";
import { failed, message } from "../ui/states.js";

const PAGE = 50; // recordings
const PAUSE = 250; // ms after the last key before names are searched

/** @param {HTMLElement} root @param {import("../main.js").App} app */
export function mount(root, app) {
  const cards = h("div.cards");
  const numbers = h("dl.numbers");
  const roots = h("ul.roots");
  const progress = h("div.progress", { "aria-live": "off" });
  const troubles = h("section.troubles");
  const table = recordingTable(app);
  const path = h("input", { type: "text", placeholder: "/home/me/recordings", "aria-label": "Folder to index", autocomplete: "off", spellcheck: "false" });
  const form = h("form.inline", {}, path, h("button.primary", {}, "Index folder"), h("button", { type: "button", onclick: () => start([]) }, "Look for changes"));
  const indexing = h("section.panel", {}, h("h2", {}, "Listen to a folder"),
    h("p.muted", {}, "It can be stopped at any time and goes on where it was. Files are never changed."), form, progress, roots);
  fill(root, h("h1", {}, "Library"), cards, numbers, indexing, troubles, table.element);

  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    if (path.value.trim()) start([path.value.trim()]);
    else path.focus();
  });

  load();

  async function load() {
    try {
      const libraries = await app.api.libraries();
      if (app.signal.aborted) return;
      const own = libraries.find((/** @type {any} */ { name }) => name === app.api.library) ?? libraries[0];
      fill(cards, libraries.length > 1 && libraries.map((/** @type {any} */ library) => card(library, library === own)));
      show(own);
      if (own.job) watch(own.job);
    } catch (error) {
      if (!app.signal.aborted) fill(numbers, failed(error, load));
    }
  }

  function show(/** @type {any} */ stats) {
    const facts = [
      ["Recordings", stats.recordings.toLocaleString("en")],
      ["Sound", length(stats.seconds)],
      ["Size of the index", bytes(stats.bytes)],
      ["Ear", Object.keys(stats.ears).join(", ") || stats.ear || "none yet"],
    ];
    fill(numbers, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    fill(roots, stats.roots.map((/** @type {string} */ folder) => h("li", {}, icon("folder"), folder)));
    const writable = stats.writable !== false;
    for (const control of form.elements) control.disabled = !writable;
    if (!writable) fill(progress, h("p.muted", {}, "New folders can be indexed from here only when the server runs on this machine, or was started with --write-paths."));
    showTroubles(app, troubles, stats.quarantined);
    if (stats.files) table.load();
  }

  function card(/** @type {any} */ library, /** @type {boolean} */ current) {
    return h(
      "button.card",
      { type: "button", "aria-pressed": String(current), onclick: () => window.dispatchEvent(new CustomEvent("library-chosen", { detail: library.name })) },
      h("strong", {}, library.name),
      h("span.muted", {}, library.recordings ? `${count(library.recordings, "recording")}, ${length(library.seconds)}` : "nothing heard yet"),
    );
  }

  async function start(/** @type {string[]} */ paths) {
    try {
      const { job } = await app.api.index(paths);
      path.value = "";
      watch(job);
    } catch (error) {
      fill(progress, failed(error));
    }
  }

  function watch(/** @type {string} */ job) {
    const source = app.api.jobEvents(job);
    app.signal.addEventListener("abort", () => source.close());
    const bar = h("progress", { max: 1, "aria-label": "Indexing" });
    const line = h("p.times");
    const file = h("p.muted.current");
    const stop = h("button", { type: "button", onclick: () => app.api.stop(job).catch((e) => app.toast(message(e))) }, icon("stop"), "Stop");
    fill(progress, bar, h("div.heading", {}, line, stop), file);
    const update = (/** @type {MessageEvent} */ event) => {
      const state = JSON.parse(event.data);
      if (state.total) bar.value = state.done / state.total;
      line.textContent = [
        `${state.done.toLocaleString("en")} of ${count(state.total, "file")}`,
        state.seconds > 0 && `${length(state.seconds)} heard`,
        state.speed > 0 && `${Math.round(state.speed)} × real time`,
        state.remaining > 0 && state.state === "running" && `${length(state.remaining)} left`,
        state.quarantined > 0 && `${state.quarantined} could not be heard`,
      ].filter(Boolean).join("  ·  ");
      file.textContent = state.current ?? "";
      if (state.state === "running" || state.state === "stopping") return;
      source.close();
      finish(state);
    };
    source.addEventListener("message", update);
    source.addEventListener("progress", update);
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && fill(progress, h("p.muted", {}, "The connection was lost. Indexing may still go on: reload to see.")));
  }

  function finish(/** @type {any} */ state) {
    const words = { done: `Done: ${count(state.done, "file")} looked at.`, stopped: "Stopped. Look for changes to go on." };
    const error = state.error ? `${state.error.problem}. ${state.error.remedy}` : "It ended with an error.";
    fill(progress, h("p", { role: "status" }, words[state.state] ?? error));
    app.announce(progress.textContent ?? "");
    load();
  }
}

async function showTroubles(/** @type {import("../main.js").App} */ app, /** @type {HTMLElement} */ place, /** @type {number} */ quarantined) {
  if (!quarantined) return fill(place);
  const list = h("ul.quarantine");
  fill(place, h("details.panel", {}, h("summary", {}, `${count(quarantined, "file")} could not be heard`), list));
  try {
    const rows = await app.api.quarantine();
    fill(list, rows.map((/** @type {any} */ { path, reason }) => h("li", {}, h("span.path", {}, path), h("span.muted", {}, reason))));
  } catch (error) {
    fill(list, h("li", {}, message(error)));
  }
}

/** All recordings by name, a page at a time. */
function recordingTable(/** @type {import("../main.js").App} */ app) {
  const name = h("input", { type: "search", placeholder: "Name contains …", "aria-label": "Name contains" });
  const sort = h("select.compact", { "aria-label": "Sort by", onchange: () => load() },
    h("option", { value: "path" }, "By path"), h("option", { value: "duration" }, "By length"), h("option", { value: "recorded" }, "By date"));
  const body = h("tbody");
  const rows = h("table", {}, h("thead", {}, h("tr", {}, ["Recording", "Length", "Format", "Heard in it"].map((text) => h("th", { scope: "col" }, text)))), body);
  const more = h("div.more");
  const total = h("span.muted");
  const element = h("section.recordings", { hidden: true }, h("div.heading", {}, h("h2", {}, "Recordings ", total), h("div.row", {}, name, sort)), rows, more);
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  name.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE);
  });

  async function load(offset = 0) {
    element.hidden = false;
    try {
      const page = await app.api.recordings({ q: name.value.trim(), sort: sort.value, limit: PAGE, offset });
      if (app.signal.aborted) return;
      if (!offset) fill(body);
      total.textContent = page.total.toLocaleString("en");
      body.append(...page.items.map(row));
      const left = page.total - offset - page.items.length;
      fill(more, left > 0 && h("button", { type: "button", onclick: () => load(offset + PAGE) }, `${left.toLocaleString("en")} more`));
    } catch (error) {
      fill(more, failed(error, () => load(offset)));
    }
  }
  return { element, load: () => load() };
}

function row(/** @type {import("../api.js").Recording} */ recording) {
  return h(
    "tr",
    {},
    h("td", {}, h("div.which", {}, h("a", { href: href("recording", recording.id) }, recording.name), h("span.muted", {}, recording.folder))),
    h("td.times", {}, length(recording.duration)),
    h("td", {}, recording.format),
    h("td.heard", {}, recording.tags.slice(0, 3).map(({ label }) => h("span.tag", {}, label))),
  );
}
