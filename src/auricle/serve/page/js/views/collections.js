/** Collections: named lists of hits, to hear again and to take away. */

import { fill, h, icon } from "../dom.js";
import { count, length } from "../format.js";
import { go, href } from "../router.js";
import { ask } from "../ui/dialog.js";
import { hitList } from "../ui/hit-list.js";
import { empty, failed, message, skeletons } from "../ui/states.js";

/** @typedef {{id: string, name: string, count: number, seconds: number}} Collection */

/** @param {HTMLElement} root @param {import("../main.js").App} app @param {import("../router.js").Route} route */
export function mount(root, app, route) {
  const side = h("nav.side", { "aria-label": "Collections" });
  const main = h("section.shelf", { "aria-label": "Collection" });
  const create = h("button", { type: "button", onclick: add }, icon("plus"), "New collection");
  fill(root, h("h1.unseen", {}, "Collections"), h("div.split", {}, side, main));
  load();

  async function load() {
    fill(main, skeletons(3));
    try {
      const all = /** @type {Collection[]} */ (await app.api.collections());
      if (app.signal.aborted) return;
      const shown = all.find(({ id }) => id === route.id) ?? all[0];
      fill(side, h("ul.list", {}, all.map((c) => h("li", {}, h("a", { href: href("collections", c.id), "aria-current": c === shown && "page" }, c.name, h("span.files", {}, c.count))))), create);
      if (shown) await showOne(shown.id);
      else fill(main, empty("No collections yet", "Save hits of a search, or a region of a recording, to a list with a name.",
        h("a.button.primary", { href: href("search") }, "Search")));
    } catch (error) {
      if (!app.signal.aborted) fill(main, failed(error, load));
    }
  }

  async function showOne(/** @type {string} */ id) {
    const collection = await app.api.collection(id);
    if (app.signal.aborted) return;
    const items = collection.items.map((/** @type {any} */ item) => ({ ...item, score: NaN })); // every item fits; none is scored
    const summary = h("p.muted", {});
    const total = () => {
      const seconds = items.reduce((/** @type {number} */ sum, /** @type {any} */ { start, end }) => sum + end - start, 0);
      summary.textContent = items.length ? `${count(items.length, "stretch", "stretches")}, ${length(seconds)}` : "";
    };
    const list = hitList(app, {
      label: collection.name,
      actions: [{ key: "Delete", label: "Remove", icon: "trash", run: (hit, row) => removeItem(hit, row) }],
    });
    list.set(items);
    total();

    async function removeItem(/** @type {any} */ hit, /** @type {HTMLElement} */ row) {
      try {
        await app.api.removeItem(id, hit.id);
      } catch (error) {
        return app.toast(message(error));
      }
      items.splice(items.indexOf(hit), 1);
      list.remove(row);
      total();
      app.toast(`Removed ${hit.name}`, {
        label: "Undo",
        run: () => attempt(undo),
      });
    }

    fill(
      main,
      h("div.heading", {}, h("div", {}, h("h2.title", {}, collection.name), summary), h("div.row", {},
        items.length > 0 && h("a.button", { href: app.api.downloadUrl(id, "zip"), download: "" }, icon("download"), "Clips (ZIP)"),
        items.length > 0 && h("a.button", { href: app.api.downloadUrl(id, "m3u8"), download: "" }, icon("download"), "Playlist (M3U8)"),
        h("button", { type: "button", onclick: () => rename(collection) }, icon("pencil"), "Rename"),
        h("button.danger", { type: "button", onclick: () => remove(collection) }, icon("trash"), "Delete"))),
      items.length ? list.element : empty("Nothing in it yet", "Save hits of a search to it with s."),
    );
  }

  async function add() {
    const name = await ask("New collection", { action: "Create" });
    if (name) await attempt(async () => go(href("collections", (await app.api.addCollection(name)).id)));
  }

  async function rename(/** @type {Collection} */ { id, name }) {
    const next = await ask("Rename the collection", { value: name, action: "Rename" });
    if (!next || next === name) return;
    await attempt(async () => {
      await app.api.renameCollection(id, next);
      await load();
    });
  }

  async function remove(/** @type {Collection} */ { id, name }) {
    await attempt(async () => {
      await app.api.removeCollection(id);
      app.toast(`Deleted ${name}`, { label: "Undo", run: () => attempt(undo) });
      if (route.id) go(href("collections"));
      else await load();
    });
  }

  async function undo() {
    const { collection } = await app.api.undoCollection();
    if (!app.signal.aborted) await load();
    else if (collection) go(href("collections", collection.id));
  }

  async function attempt(/** @type {() => Promise<any>} */ change) {
    try {
      await change();
    } catch (error) {
      app.toast(message(error));
    }
  }
}
