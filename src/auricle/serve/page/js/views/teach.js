/** Teach: say yes or no to a few sounds, and the library learns a tag of your own. */

import { fill, h, icon } from "../dom.js";
import { bindKeys } from "../keys.js";
import { asksSomething, fromParams, toBody, toParams } from "../query.js";
import { go, href } from "../router.js";
import { chips } from "../ui/chips.js";
import { hitList } from "../ui/hit-list.js";
import { empty, failed, message, skeletons } from "../ui/states.js";

const NEEDED = 5; // of each kind, the server's own bound
const CANDIDATES = 24; // shown at a time
const MOST = 200; // hits the server gives at a time

/**
 * @typedef {import("../api.js").Hit} Hit
 * @typedef {{positives: import("../api.js").Stretch[], negatives: import("../api.js").Stretch[], judged: string[]}} Draft
 *   what was said since the last lesson, and everything that need not be asked again
 */

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  fill(root, h("h1", {}, route.id ? `Teach “${route.id}”` : "Teach a sound of your own"));
  if (route.id) lesson(root, app, route);
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

  function card(/** @type {import("../api.js").Taught} */ one) {
    const facts = [`${one.positives} yes, ${one.negatives} no`, quality(one)].filter(Boolean).join(" · ");
    const forget = async () => {
      try {
        await app.api.forget(one.name);
        const { [`${app.api.library}/${one.name}`]: _, ...others } = app.store.settings.drafts;
        app.store.set("drafts", others);
        app.toast(`Forgot ${one.name}`, { label: "Undo", run: () => app.api.recall(one.name).then(list, (/** @type {any} */ error) => app.toast(message(error))) });
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
async function lesson(/** @type {HTMLElement} */ root, /** @type {import("../main.js").App} */ app, /** @type {import("../router.js").Route} */ { id: name, params }) {
  const query = fromParams(params);
  const key = `${app.api.library}/${name}`;
  /** @type {Draft} */
  const draft = app.store.settings.drafts[key] ?? { positives: [], negatives: [], judged: [] };
  const save = () => app.store.set("drafts", { ...app.store.settings.drafts, [key]: draft });
  /** @type {import("../api.js").Taught | undefined} */
  let taught = (await app.api.taught().catch(() => [])).find((/** @type {any} */ one) => one.name === name);
  if (app.signal.aborted) return;
  const asks = asksSomething(query);
  let mode = /** @type {"candidates" | "uncertain" | "ranked"} */ (taught && !asks ? "uncertain" : "candidates");

  const tally = h("div.tally", { role: "status" });
  const train = h("button.primary", { type: "button", onclick: learn });
  const input = h("input", { type: "search", value: query.text, "aria-label": "Sounds like", placeholder: name });
  const find = h("form.inline", {}, input, h("button", {}, "Find candidates"));
  const examples = chips(query, { api: app.api, change: seek, edit: () => {} });
  const tabs = h("div.tabs", { role: "group", "aria-label": "Which sounds" });
  const place = h("div.results");
  root.append(h("div.panel.lesson", {}, tally, train), tabs, find, examples, place);

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
    seek({ ...query, text: input.value });
  });

  function seek(/** @type {import("../query.js").Query} */ next) {
    go(href("teach", name, toParams(next)));
  }

  /** @type {("positives" | "negatives")[]} */
  const done = [];
  function judge(/** @type {Hit} */ hit, /** @type {HTMLElement} */ row, /** @type {"positives" | "negatives"} */ kind) {
    draft[kind].push({ recording: hit.recording, start: hit.start, end: hit.end });
    draft.judged.push(same(hit));
    done.push(kind);
    save();
    show();
    list.remove(row);
    if (!list.size()) load();
  }

  function undo() {
    const kind = done.pop();
    if (!kind) return;
    draft[kind].pop();
    draft.judged.pop();
    save();
    show();
    load();
  }

  function show() {
    const [yes, no] = [draft.positives.length + (taught?.positives ?? 0), draft.negatives.length + (taught?.negatives ?? 0)];
    const meter = (/** @type {string} */ word, /** @type {number} */ n) =>
      h("span.count", { dataset: { enough: String(n >= NEEDED) } }, h("strong", {}, n), ` ${word}`, n < NEEDED && h("span.muted", {}, ` of ${NEEDED}`));
    fill(tally, meter("yes", yes), meter("no", no), quality(taught) && h("span.muted", {}, quality(taught)), done.length > 0 &&
      h("button.quiet", { type: "button", onclick: undo, title: "Undo (u)" }, icon("undo"), "Undo"));
    train.disabled = Math.min(yes, no) < NEEDED || draft.positives.length + draft.negatives.length === 0;
    fill(train, icon("teach"), taught ? "Learn more" : "Learn");
    const tab = (/** @type {typeof mode} */ value, /** @type {string} */ text) =>
      h("button", { type: "button", "aria-pressed": String(mode === value), onclick: () => { mode = value; show(); load(); } }, text);
    fill(tabs, taught && [tab("uncertain", "Least certain"), tab("ranked", "Best first"), tab("candidates", "By words")]);
    find.hidden = mode !== "candidates";
    examples.hidden = find.hidden || !query.like.length;
  }

  async function learn() {
    train.disabled = true;
    fill(train, "Learning …");
    try {
      taught = await app.api.teach({ name, positives: draft.positives, negatives: draft.negatives });
      Object.assign(draft, { positives: [], negatives: [] });
      done.length = 0;
      save();
      mode = "uncertain";
      app.toast(`Learned ${name}`);
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

  /** Sounds not judged yet; however unlike the words when these find too few. @returns {Promise<Hit[]>} */
  async function candidates() {
    const judged = new Set(draft.judged);
    const limit = Math.min(MOST, CANDIDATES + judged.size);
    const fresh = (/** @type {Hit[]} */ hits) => hits.filter((hit) => mode === "ranked" || !judged.has(same(hit))).slice(0, CANDIDATES);
    if (mode !== "candidates") return fresh(await app.api.ranked(name, mode, limit));
    const asked = asks ? query : { ...query, text: name };
    const { hits } = await app.api.search(toBody({ ...asked, all: true }, { limit, offset: 0 }));
    return fresh(hits);
  }

  show();
  load();
}

/** How well a taught sound is told apart, where that could be estimated. */
function quality(/** @type {import("../api.js").Taught | undefined} */ taught) {
  return typeof taught?.accuracy === "number" ? `${Math.round(100 * taught.accuracy)} % right on recordings it had not heard` : "";
}

const same = (/** @type {import("../api.js").Stretch} */ { recording, start, end }) => `${recording} ${start.toFixed(2)} ${end.toFixed(2)}`;
