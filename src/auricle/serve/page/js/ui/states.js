/** What a view shows while it waits, when there is nothing, and when something went wrong. */

import { ApiError } from "../api.js";
import { h } from "../dom.js";

/**
 * @param {unknown} error
 * @param {() => void} [retry]
 */
export function failed(error, retry) {
  const known = error instanceof ApiError;
  if (!known) console.error(error);
  return h(
    "div.state.error",
    { role: "alert" },
    h("h2", {}, known ? sentence(error.problem) : "Something went wrong on this page."),
    h("p", {}, known ? sentence(error.remedy) : "Reload it. If it happens again, the browser's console says more."),
    known && error.status === 401 && h("a.button.primary", { href: "/login" }, "Sign in"),
    retry && h("button", { type: "button", onclick: retry }, "Try again"),
  );
}

/**
 * @param {string} title
 * @param {string} text
 * @param {...any} more
 */
export function empty(title, text, ...more) {
  return h("div.state", {}, h("h2", {}, title), h("p", {}, text), more);
}

/** Grey rows where hits will be. */
export function skeletons(rows = 5) {
  const row = () => h("div.skeleton", {}, h("span.picture"), h("span.line"), h("span.line.short"));
  return h("div.skeletons", { "aria-hidden": "true" }, Array.from({ length: rows }, row));
}

/** The message of any error, for a toast. */
export function message(/** @type {unknown} */ error) {
  return error instanceof ApiError ? [error.problem, error.remedy].filter(Boolean).map(sentence).join(" ") : String(error);
}

function sentence(/** @type {string} */ text) {
  return /[.!?]$/.test(text) || !text ? text : `${text}.`;
}
