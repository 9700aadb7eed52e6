/** Search: ask in words or with a sound, narrow down, listen through the hits. The address holds the whole question. */

import { ApiError } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { count, length } from "../format.js";
import { asksSomething, emptyQuery, fromParams, toBody, toParams } from "../query.js";
import { go, href } from "../router.js";
import { showChips, nameOf } from "../ui/chips.js";
import { filterPanel } from "../ui/filters.js";
import { hitList } from "../ui/hit-list.js";
import { showIdentified } from "../ui/identified.js";
import { rangePicker } from "../ui/range-picker.js";
import { saveTo } from "../ui/save.js";
import { searchBox } from "../ui/search-box.js";
import { empty, failed, skeletons } from "../ui/states.js";
import { uploaded } from "../uploads.js";

const PAGE = 20; // hits
const LESS = 0.5; // weight of "less like this"; "not like this" is 1
const EXAMPLES = ["dog barking", "rain on a roof", "a door slams shut", "steam train whistle", "footsteps on gravel", "applause", "someone laughing", "birds at dawn - wind"];
const DEFAULT_EXCERPT = 10; // seconds taken of a long example until another part is chosen

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  let query = emptyQuery();
  let asked = new AbortController();

  const change = (/** @type {import("../query.js").Query} */ next) => go(href("search", "", toParams(next)));
  const box = searchBox(app, {
    search: (text) => change({ ...query, text, all: false, hidden: [] }),
    example: (made) => {
      const range = made.duration > DEFAULT_EXCERPT ? { start: 0, end: DEFAULT_EXCERPT } : {};
      opened = { kind: "like", at: query.like.length };
      change({ ...query, like: [...query.like, { upload: made.id, ...range, weight: 1 }] });
    },
    range: (start, end) => {
      const last = query.like.length - 1;
      if (last < 0) return false;
      change(withRange("like", last, start, end ?? start + DEFAULT_EXCERPT));
      return true;
    },
  });
  const panel = filterPanel({ change, hover: app.store.settings.hover, setHover: (on) => app.store.set("hover", on) });
  const chipRow = h("div.chip-row");
  const editor = h("div.editor");
  const identified = h("div");
  const summary = h("p.summary", { role: "status" });
  const results = h("div.results");
  const more = h("div.more");
  const intro = h("div.intro");
  const head = h("div.ask", {}, h("h1", {}, "What are you listening for?"), box.element, chipRow, editor);
  fill(root, head, intro, h("div.found", {}, panel.element, h("section", { "aria-label": "Hits" }, identified, summary, results, more)));

  /** @type {{kind: "like" | "without", at: number} | null} the example whose part is being chosen */
  let opened = null;
  const withRange = (/** @type {"like" | "without"} */ kind, /** @type {number} */ at, /** @type {number} */ start, /** @type {number} */ end) => ({
    ...query,
    [kind]: query[kind].map((example, i) => (i === at ? { ...example, start, end } : example)),
  });

  const add = (/** @type {"like" | "without"} */ kind, weight = 1) => (/** @type {import("../api.js").Hit} */ hit) => {
    const example = { recording: hit.recording, start: hit.start, end: hit.end, weight };
    change({ ...query, [kind]: [...query[kind], example] });
  };
  const list = hitList(app, {
    label: "Hits, best first",
    onTag: (label) => change({ ...query, filters: { ...query.filters, tags: [...new Set([...query.filters.tags, label])] } }),
    actions: [
      { key: "m", label: "More like this", icon: "plus", run: add("like") },
      { key: "l", label: "Less like this", icon: "minus", run: add("without", LESS) },
      { key: "n", label: "Not this", icon: "close", run: (hit, row) => hide(hit, row) },
      { key: "s", label: "Save", icon: "save", run: (hit) => saveTo(app, [hit]) },
    ],
  });

  function hide(/** @type {import("../api.js").Hit} */ hit, /** @type {HTMLElement} */ row) {
    const before = query;
    query = { ...query, hidden: [...query.hidden, hit.recording] };
    list.remove(row);
    history.replaceState(null, "", href("search", "", toParams(query)));
    refreshChips();
    app.toast(`${hit.name} is left out of this search`, { label: "Undo", run: () => change(before) });
  }

  const refreshChips = () =>
    showChips(chipRow, query, { api: app.api, change, edit: (kind, at) => {
      opened = opened?.kind === kind && opened.at === at ? null : { kind, at };
      showEditor();
    } });

  async function showEditor() {
    const example = opened && query[opened.kind][opened.at];
    if (!opened || !example) return fill(editor);
    const { kind, at } = opened;
    const source = await sourceOf(app, example);
    if (!source) return fill(editor, h("p.muted", {}, "This sound is no longer on the server. Drop it again to change the part."));
    const { name, duration, peaks, url } = source;
    const picker = rangePicker({
      name,
      duration,
      start: example.start ?? 0,
      end: example.end ?? duration,
      peaks,
      signal: app.signal,
      change: (start, end) => change(withRange(kind, at, start, end)),
      play: (start, end) =>
        url
          ? app.player.play({ recording: "", name, url: `${url}#t=${start},${end}` })
          : app.player.play({ recording: example.recording ?? "", name, start, end }),
    });
    const done = h("button", { type: "button", onclick: () => { opened = null; showEditor(); } }, "Done");
    picker.element.querySelector(".row")?.append(done);
    fill(editor, picker.element);
  }

  async function identify() {
    const asked = query;
    const sounds = query.like.map(({ upload }) => upload && uploaded(upload)?.matches);
    const matches = (await Promise.all(sounds)).flatMap((some) => some ?? []);
    if (query === asked && !app.signal.aborted) showIdentified(identified, app, matches);
  }

  async function ask(offset = 0) {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    if (offset === 0) {
      if (list.element.isConnected) results.classList.add("stale");
      else fill(results, skeletons());
      fill(more);
      summary.textContent = "Listening …";
    }
    try {
      const answer = await app.api.search(toBody(query, { limit: PAGE, offset }), signal);
      if (signal.aborted) return;
      results.classList.remove("stale");
      show(answer, offset);
    } catch (error) {
      if (signal.aborted) return;
      results.classList.remove("stale");
      summary.textContent = "";
      fill(more);
      fill(results, failed(error, () => ask()));
    }
  }

  function show(/** @type {import("../api.js").Answer} */ answer, /** @type {number} */ offset) {
    if (offset === 0) {
      list.set(answer.hits);
      fill(results, answer.hits.length ? list.element : nothing(answer));
    } else list.add(answer.hits);
    const hits = count(list.size(), "hit") + (answer.more ? " so far" : "");
    summary.textContent = list.size() ? `${hits} in ${count(answer.windows, "window")}, ${Math.max(1, Math.round(1000 * answer.took))} ms` : "";
    if (!list.size()) app.announce("Nothing like that here");
    fill(more, answer.more && h("button", { type: "button", onclick: () => ask(offset + PAGE) }, "More hits"));
  }

  function nothing(/** @type {import("../api.js").Answer} */ answer) {
    if (!answer.windows) return empty("Nothing has been heard yet", "Index a folder first.", h("a.button.primary", { href: href("library") }, "Open the library"));
    const closest = `The closest of ${count(answer.windows, "window")} scores ${answer.best.toFixed(2)}, too little to call it a hit.`;
    return empty(
      "Nothing like that here",
      `${closest} Other words, fewer filters or an example may help.`,
      answer.best > 0 && h("button", { type: "button", onclick: () => change({ ...query, all: true }) }, "Show the closest anyway"),
    );
  }

  function follow(/** @type {import("../router.js").Route} */ { params }) {
    query = fromParams(params);
    box.input.value = query.text;
    refreshChips();
    showEditor();
    const asking = asksSomething(query);
    root.classList.toggle("asking", asking);
    panel.show(query);
    if (asking) {
      fill(intro);
      ask();
      identify();
    } else {
      asked.abort();
      showIntro(intro, app, change);
    }
  }

  app.api.facets().then((facets) => !app.signal.aborted && panel.show(query, facets), () => {});
  app.signal.addEventListener("abort", () => asked.abort());
  follow(route);
  box.input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => event.key === "ArrowDown" && list.focusFirst());
  if (!asksSomething(query) && !matchMedia("(pointer: coarse)").matches) box.input.focus({ preventScroll: true });
  return follow;
}

/** Where the waveform and the sound of an example come from; null when it is gone. */
async function sourceOf(/** @type {import("../main.js").App} */ app, /** @type {import("../query.js").Example} */ example) {
  if (example.upload) {
    const made = uploaded(example.upload);
    return made ? { ...made, peaks: Promise.resolve(made.peaks) } : null;
  }
  const id = /** @type {string} */ (example.recording);
  try {
    const [{ duration }, name] = await Promise.all([app.api.recording(id), nameOf(app.api, example)]);
    return { name, duration, peaks: app.api.peaks(id, 0, duration, 600, app.signal), url: "" };
  } catch {
    return null;
  }
}

/** The page before anything was asked: what to try, and what there is. */
async function showIntro(/** @type {HTMLElement} */ place, /** @type {import("../main.js").App} */ app, /** @type {(q: any) => void} */ change) {
  const say = (/** @type {string} */ text) => h("button.example", { type: "button", onclick: () => change({ ...emptyQuery(), text }) }, text);
  const words = h("section", {}, h("h2", {}, "Try"), h("div.examples", {}, EXAMPLES.map(say)));
  const ways = h("p.ways", {}, icon("file"), "Drop a sound file anywhere, or ", icon("mic"), "record one, and find what sounds like it. ",
    "Mix with ", h("code", {}, "rain + thunder - speech"), ".");
  const about = h("section.about-library");
  fill(place, words, ways, about);
  try {
    const [stats, facets] = await Promise.all([app.api.stats(), app.api.facets()]);
    if (app.signal.aborted) return;
    if (!stats.files) throw new ApiError(404, "", "");
    fill(
      about,
      h("h2", {}, "Heard most in ", h("em", {}, `${count(stats.recordings, "recording")}, ${length(stats.seconds)}`)),
      h("div.examples", {}, facets.tags.slice(0, 14).map((/** @type {any} */ { label, files }) =>
        h("button.example.tagged", { type: "button", onclick: () => change({ ...emptyQuery(), text: label }) }, label, h("span.files", {}, files)))),
    );
  } catch (error) {
    if (app.signal.aborted) return;
    const missing = error instanceof ApiError && error.status === 404;
    fill(missing ? place : about, missing
      ? empty("Nothing has been heard yet", "Point auricle at a folder of recordings; it listens once and remembers.",
        h("a.button.primary", { href: href("library") }, "Index a folder"))
      : failed(error, () => showIntro(place, app, change)));
  }
}
