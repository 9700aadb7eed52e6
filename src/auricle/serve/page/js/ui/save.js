/** Saving stretches of sound to a collection. */

import { fill, h, icon } from "../dom.js";
import { count } from "../format.js";
import { open } from "./dialog.js";
import { failed, message } from "./states.js";

/**
 * Asks for a collection, old or new, and adds the stretches to it.
 * @param {import("../main.js").App} app
 * @param {import("../api.js").Stretch[]} stretches
 */
export async function saveTo(app, stretches) {
  const box = h("div.save", {}, h("h2", {}, `Save ${count(stretches.length, "hit")} to …`));
  const lists = h("div.choices", {}, h("p.muted", {}, "Loading collections …"));
  const input = h("input", { type: "text", placeholder: "New collection", "aria-label": "New collection", maxlength: 200, required: true });
  const form = h("form.inline", {}, input, h("button.primary", {}, icon("plus"), "Create and save"));
  box.append(lists, form, h("div.buttons", {}, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = open(box, "Save to a collection");

  const put = async (/** @type {{id: string, name: string}} */ collection) => {
    try {
      const plain = stretches.map(({ recording, start, end }) => ({ recording, start, end }));
      await app.api.addItems(collection.id, plain);
      dialog.close();
      app.toast(`Saved to ${collection.name}`);
    } catch (error) {
      app.toast(message(error));
    }
  };
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await put(await app.api.addCollection(input.value.trim()));
    } catch (error) {
      app.toast(message(error));
    }
  });
  try {
    const collections = await app.api.collections();
    fill(lists, collections.map((/** @type {any} */ c) =>
      h("button.choice", { type: "button", onclick: () => put(c) }, h("span", {}, c.name))));
    if (!collections.length) fill(lists, h("p.muted", {}, "There is no collection yet."));
    if (!input.value) (lists.querySelector("button") ?? input).focus(); // who types already goes on typing
  } catch (error) {
    fill(lists, failed(error));
  }
}
