/** Starts the page: builds what stays (navigation, library switch, theme, player) and shows the view of the address. */

import { Api } from "./api.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { bindKeys } from "./keys.js";
import { Player } from "./player.js";
import { go, href, parseRoute } from "./router.js";
import { Store } from "./store.js";
import { showHelp } from "./ui/help.js";
import { playerBar } from "./ui/player-bar.js";
import { failed } from "./ui/states.js";
import { announce, toast } from "./ui/toast.js";

/**
 * What every view is given.
 * @typedef {{api: Api, player: Player, store: Store, signal: AbortSignal, toast: typeof toast, announce: typeof announce}} App
 * @typedef {(route: import("./router.js").Route) => unknown} Follow
 * @typedef {{mount: (root: HTMLElement, app: App, route: import("./router.js").Route) => Follow | void}} View
 *   `mount` may return how to follow a new address of the same view; without it, the view is built anew
 */

/** @type {Record<string, {icon: any, title: string, nav: boolean, load: () => Promise<View>}>} */
const VIEWS = {
  search: { icon: "search", title: "Search", nav: true, load: () => import("./views/search.js") },
  recording: { icon: "sound", title: "Recording", nav: false, load: () => import("./views/recording.js") },
  collections: { icon: "list", title: "Collections", nav: true, load: () => import("./views/collections.js") },
  map: { icon: "map", title: "Map", nav: true, load: () => import("./views/map.js") },
  teach: { icon: "teach", title: "Teach", nav: true, load: () => import("./views/teach.js") },
  library: { icon: "library", title: "Library", nav: true, load: () => import("./views/library.js") },
};

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const THEME_ICONS = /** @type {const} */ ({ auto: "auto", light: "sun", dark: "moon" });

const root = /** @type {HTMLElement} */ (document.getElementById("view"));
const store = new Store();
const api = new Api(store.settings.library);
const player = new Player(api, store);
const forever = new AbortController().signal;

/** @typedef {{name: string, id: string, library: string, leave: AbortController, follow: Follow | null}} Shown */
/** @type {Shown} */
let shown = { name: "", id: "", library: "", leave: new AbortController(), follow: null };

async function show() {
  const route = parseRoute(location.hash);
  const name = route.view in VIEWS ? route.view : "search";
  const same = shown.name === name && shown.id === route.id && shown.library === api.library;
  if (same && shown.follow) return shown.follow(route);

  shown.leave.abort();
  const moved = shown.name !== "";
  /** @type {Shown} */
  const mine = { name, id: route.id, library: api.library, leave: new AbortController(), follow: null };
  shown = mine;
  markCurrent(name);
  document.title = name === "search" ? "auricle" : `${VIEWS[name].title} · auricle`;
  try {
    const view = await VIEWS[name].load();
    if (shown !== mine) return;
    fill(root);
    root.dataset.view = name;
    mine.follow = view.mount(root, { api, player, store, signal: mine.leave.signal, toast, announce }, route) ?? null;
  } catch (error) {
    fill(root, failed(error, show));
  }
  if (moved) {
    if (!root.contains(document.activeElement)) root.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(VIEWS[name].title);
  }
}

function markCurrent(/** @type {string} */ name) {
  for (const link of document.querySelectorAll("#nav a")) {
    if (/** @type {HTMLElement} */ (link).dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function buildBar() {
  const links = Object.entries(VIEWS)
    .filter(([, view]) => view.nav)
    .map(([name, view]) => h("a", { href: href(name), dataset: { view: name } }, icon(view.icon), h("span", {}, view.title)));
  fill(/** @type {HTMLElement} */ (document.getElementById("nav")), links);

  const theme = iconButton("auto", "Theme", { id: "theme" });
  const help = iconButton("help", "Keyboard shortcuts", { onclick: showHelp });
  const libraries = h("select.compact", { "aria-label": "Library", id: "libraries", hidden: true });
  fill(/** @type {HTMLElement} */ (document.getElementById("tools")), libraries, theme, help);

  const apply = () => {
    const choice = store.settings.theme;
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    const words = { auto: "as the system", light: "light", dark: "dark" }[choice];
    fill(theme, icon(THEME_ICONS[choice]));
    theme.setAttribute("aria-label", `Theme: ${words}`);
    theme.title = `Theme: ${words}`;
    window.dispatchEvent(new Event("themechange"));
  };
  theme.addEventListener("click", () => {
    store.set("theme", THEMES[(THEMES.indexOf(store.settings.theme) + 1) % THEMES.length]);
    apply();
    announce(theme.title);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
  apply();
  fillLibraries(libraries);
}

async function fillLibraries(/** @type {HTMLSelectElement} */ select) {
  /** @type {{name: string}[]} */
  let libraries = [];
  try {
    libraries = await api.libraries();
  } catch {
    return; // the view itself says what is wrong
  }
  const names = libraries.map(({ name }) => name);
  if (api.library === "default" && names.length) api.library = shown.library = names[0];
  else if (!names.includes(api.library)) switchTo(names[0] ?? "default");
  fill(select, names.map((name) => h("option", { value: name }, name)));
  select.value = api.library;
  select.hidden = names.length < 2;
  select.addEventListener("change", () => switchTo(select.value));
}

/** What the address names (recordings, uploads) belongs to one library, so a switch starts afresh. */
function switchTo(/** @type {string} */ name) {
  if (name === api.library) return;
  player.close();
  api.library = name;
  store.set("library", name);
  const { view } = parseRoute(location.hash);
  go(href(view === "recording" ? "search" : view));
}

buildBar();
playerBar(/** @type {HTMLElement} */ (document.getElementById("player")), player, forever);
bindKeys({ "?": showHelp, "/": focusSearch }, forever);
document.getElementById("skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  root.focus();
});
window.addEventListener("hashchange", show);
window.addEventListener("library-chosen", (event) => {
  const name = /** @type {CustomEvent} */ (event).detail;
  switchTo(name);
  /** @type {HTMLSelectElement} */ (document.getElementById("libraries")).value = name;
});
show();

function focusSearch() {
  const box = document.getElementById("words");
  if (box) box.focus();
  else go(href("search"));
}
