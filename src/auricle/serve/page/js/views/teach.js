/** Teach: say yes or no to a few sounds, and the library learns a tag of your own. */

import { fill, h, icon } from "../dom.js";
import { count } from "../format.js";
import { bindKeys } from "../keys.js";
import { go, href } from "../router.js";
import { hitList } from "../ui/hit-list.js";
import { empty, failed, message, skeletons } from "../ui/states.js";

const NEEDED = 5; // of each kind, the server's own bound
const CANDIDATES = 24;

/** @typedef {import("../api.js").Hit} Hit @typedef {{positives: import("../api.js").Stretch[], negatives: import("../api.js").Stretch[]}} Draft */

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  fill(root, h("h1", {}, route.id ? `Teach “${route.id}”` : "Teach a sound of your own"));
  if (route.id) lesson(root, app, route.id, route.params.get("q") ?? "");
  else overview(root, app);
}

/** What was taught before, and the start of a new lesson. */
async function overview(/** @type {HTMLElement} */ root, /** @type {import("../main.js").App} */ app) {
  const name = h("input", { type: "text", required: true, maxlength: 80, placeholder: "squeaky hinge", autocomplete: "off" });
  const words = h("input", { type: "text", maxlength: 200, placeholder: "door creaking", autocomplete: "off" });
  const form = h("form.panel.begin", {}, h("label.field", {}, "Name of the sound", name), h("label.field", {}, "Start from sounds like", words),
    h("button.primary", {}, "Start"));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    go(href("teach", name.value.trim(), { q: words.value.trim() || name.value.trim() }));
  });
  const known = h("section");
  root.append(
    h("p.lead", {}, `Say yes or no to at least ${NEEDED} sounds each. From then on every recording, also those to come, is ranked by what you meant.`),
    form,
    known,
  );
  await list();

  async function list() {
    try {
      const taught = await app.api.taught();
      if (app.signal.aborted) return;
      fill(known, taught.length > 0 && [h("h2", {}, "Taught so far"), h("ul.taught", {}, taught.map(card))]);
    } catch (error) {
      if (!app.signal.aborted) fill(known, failed(error, list));
    }
  }

  function card(/** @type {any} */ one) {
    const facts = `${count(one.positives, "yes", "yes")}, ${count(one.negatives, "no", "no")}`;
    const forget = async () => {
      try {
        await app.api.forget(one.name);
        app.toast(`Forgot ${one.name}`);
        await list();
      } catch (error) {
        app.toast(message(error));
      }
    };
    return h("li", {}, h("a", { href: href("teach", one.name) }, one.name), h("span.muted", {}, facts),
      h("button.quiet", { type: "button", "aria-label": `Forget ${one.name}`, onclick: forget }, icon("trash"), "Forget"));
  }
}

/** One lesson: candidates to judge, training, and what the library makes of it. */
async function lesson(/** @type {HTMLElement} */ root, /** @type {import("../main.js").App} */ app, /** @type {string} */ name, /** @type {string} */ words) {
  const key = `${app.api.library}/${name}`;
  /** @type {Draft} */
  const draft = app.store.settings.drafts[key] ?? { positives: [], negatives: [] };
  const save = () => app.store.set("drafts", { ...app.store.settings.drafts, [key]: draft });
  let trained = (await app.api.taught().catch(() => [])).some((/** @type {any} */ one) => one.name === name);
  if (app.signal.aborted) return;
  let mode = /** @type {"candidates" | "uncertain" | "ranked"} */ (trained ? "uncertain" : "candidates");

  const tally = h("div.tally", { role: "status" });
  const train = h("button.primary", { type: "button", onclick: learn }, icon("teach"), "Learn");
  const input = h("input", { type: "search", value: words, "aria-label": "Sounds like", placeholder: "words" });
  const find = h("form.inline", {}, input, h("button", {}, "Find candidates"));
  const tabs = h("div.tabs", { role: "group", "aria-label": "Which sounds" });
  const place = h("div.results");
  root.append(h("div.panel.lesson", {}, tally, train), tabs, find, place);

  const list = hitList(app, {
    label: "Sounds to judge",
    actions: [
      { key: "y", label: "Yes", icon: "check", class: "yes", run: (hit, row) => judge(hit, row, "positives") },
      { key: "n", label: "No", icon: "close", class: "no", run: (hit, row) => judge(hit, row, "negatives") },
    ],
  });
  bindKeys({ u: undo }, app.signal);
  find.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    load();
  });

  /** @type {{hit: Hit, kind: "positives" | "negatives"}[]} */
  const done = [];
  function judge(/** @type {Hit} */ hit, /** @type {HTMLElement} */ row, /** @type {"positives" | "negatives"} */ kind) {
    draft[kind].push({ recording: hit.recording, start: hit.start, end: hit.end });
    done.push({ hit, kind });
    save();
    show();
    if (mode === "ranked") row.dataset.said = kind;
    else list.remove(row);
    if (!list.size()) load();
  }

  function undo() {
    const last = done.pop();
    if (!last) return;
    draft[last.kind].pop();
    save();
    show();
    load();
  }

  function show() {
    const enough = draft.positives.length >= NEEDED && draft.negatives.length >= NEEDED;
    const meter = (/** @type {string} */ word, /** @type {number} */ n) =>
      h("span.count", { dataset: { enough: String(n >= NEEDED) } }, h("strong", {}, n), ` ${word}`, n < NEEDED && h("span.muted", {}, ` of ${NEEDED}`));
    fill(tally, meter("yes", draft.positives.length), meter("no", draft.negatives.length), done.length > 0 &&
      h("button.quiet", { type: "button", onclick: undo, title: "Undo (u)" }, icon("undo"), "Undo"));
    train.disabled = !enough;
    fill(train, icon("teach"), trained ? "Learn again" : "Learn");
    const tab = (/** @type {typeof mode} */ value, /** @type {string} */ text) =>
      h("button", { type: "button", "aria-pressed": String(mode === value), onclick: () => { mode = value; show(); load(); } }, text);
    fill(tabs, trained && [tab("uncertain", "Least certain"), tab("ranked", "Best first"), tab("candidates", "By words")]);
    find.hidden = mode !== "candidates";
  }

  async function learn() {
    train.disabled = true;
    fill(train, "Learning …");
    try {
      const made = await app.api.teach({ name, ...draft });
      trained = true;
      mode = "uncertain";
      const score = typeof made.score === "number" ? ` It tells apart ${Math.round(100 * made.score)} % of what you said.` : "";
      app.toast(`Learned ${name}.${score}`);
      load();
    } catch (error) {
      app.toast(message(error));
    }
    show();
  }

  async function load() {
    fill(place, skeletons(4));
    try {
      const hits = await candidates();
      if (app.signal.aborted) return;
      list.set(hits);
      fill(place, hits.length ? list.element : empty("Nothing left to judge here", "Find other candidates by words, or learn from what you have said."));
      list.focusFirst();
    } catch (error) {
      if (!app.signal.aborted) fill(place, failed(error, load));
    }
  }

  /** Sounds not judged yet; when words find too few, whatever is closest. @returns {Promise<Hit[]>} */
  async function candidates() {
    const judged = new Set([...draft.positives, ...draft.negatives].map(same));
    const fresh = (/** @type {Hit[]} */ hits) => hits.filter((hit) => mode === "ranked" || !judged.has(same(hit))).slice(0, CANDIDATES);
    if (mode !== "candidates") return fresh(await app.api.ranked(name, mode, CANDIDATES + judged.size));
    const text = input.value.trim() || name;
    const answer = await app.api.search({ words: [{ text }], limit: Math.min(200, CANDIDATES + judged.size), min_score: 0 });
    return fresh(answer.hits);
  }

  show();
  load();
}

const same = (/** @type {import("../api.js").Stretch} */ { recording, start, end }) => `${recording} ${start.toFixed(2)} ${end.toFixed(2)}`;
