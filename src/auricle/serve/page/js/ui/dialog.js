/** Small modal questions, on the browser's own <dialog>: focus stays inside, Escape closes. */

import { h } from "../dom.js";

/**
 * Asks for one line of text.
 * @param {string} title
 * @param {{value?: string, label?: string, action?: string, suggestions?: string[]}} [options]
 * @returns {Promise<string | null>} null when cancelled
 */
export function ask(title, { value = "", label = "Name", action = "Save", suggestions = [] } = {}) {
  const input = h("input", { type: "text", value, required: true, maxlength: 200, autocomplete: "off", list: suggestions.length > 0 && "suggestions" });
  const list = h("datalist", { id: "suggestions" }, suggestions.map((text) => h("option", { value: text })));
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", {}, title),
    h("label.field", {}, label, input),
    list,
    h(
      "div.buttons",
      {},
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      h("button.primary", { value: "ok" }, action),
    ),
  );
  const dialog = open(form, title);
  input.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? input.value.trim() || null : null));
  });
}

/**
 * Shows `content` in a modal dialog that removes itself when closed.
 * @param {Element} content
 * @param {string} label
 * @returns {HTMLDialogElement}
 */
export function open(content, label) {
  const dialog = h("dialog", { "aria-label": label }, content);
  const back = /** @type {HTMLElement | null} */ (document.activeElement);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (back?.isConnected) back.focus();
  });
  dialog.addEventListener("click", (/** @type {Event} */ event) => event.target === dialog && dialog.close());
  dialog.showModal();
  return dialog;
}
