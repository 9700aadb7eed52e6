/**
 * Keyboard shortcuts. A view asks for its keys while it is shown; keys typed into a field stay there.
 *
 * @typedef {Record<string, (event: KeyboardEvent) => void>} Bindings key (as in KeyboardEvent.key) -> action
 */

const TYPING = "input:not([type=checkbox]):not([type=radio]):not([type=range]):not([type=button]), textarea, select, [contenteditable]";
const PRESSED_BY_SPACE = "button, a[href], summary, input";

/**
 * @param {Bindings} bindings
 * @param {AbortSignal} signal ends the binding
 */
export function bindKeys(bindings, signal) {
  document.addEventListener("keydown", (event) => handle(event, bindings), { signal });
}

function handle(/** @type {KeyboardEvent} */ event, /** @type {Bindings} */ bindings) {
  const target = /** @type {Element} */ (event.target);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.closest(TYPING) || document.querySelector("dialog[open]")) return;
  const presses = event.key === " " || event.key === "Enter";
  if (presses && target.closest(PRESSED_BY_SPACE)) return;
  if (event.key.startsWith("Arrow") && target.closest("[role=slider], input[type=range], input[type=radio]")) return;
  const action = bindings[event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
}
