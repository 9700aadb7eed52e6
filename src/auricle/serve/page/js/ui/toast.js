/** Short messages at the edge of the page, read aloud by screen readers. */

import { h } from "../dom.js";

const STAYS = 6000; // ms

/**
 * @param {string} message
 * @param {{label: string, run: () => void} | null} [action] e.g. Undo
 */
export function toast(message, action = null) {
  const region = document.getElementById("toasts");
  const box = h("div.toast", {}, h("span", {}, message));
  const close = () => box.remove();
  if (action) {
    const act = () => {
      close();
      action.run();
    };
    box.append(h("button.quiet", { type: "button", onclick: act }, action.label));
  }
  region?.replaceChildren(box);
  let timer = setTimeout(close, STAYS);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => (timer = setTimeout(close, STAYS)));
}

/** Says something to screen readers only. */
export function announce(/** @type {string} */ message) {
  let region = document.getElementById("announcer");
  if (!region) {
    region = h("div.unseen", { id: "announcer", role: "status", "aria-live": "polite" });
    document.body.append(/** @type {HTMLElement} */ (region));
  }
  /** @type {HTMLElement} */ (region).textContent = message;
}
