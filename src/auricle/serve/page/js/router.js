/**
 * Hash routes: `#/recording/ID?t=3` is `{view: "recording", id: "ID", params}`. The address holds all there is to say
 * about what is shown, so that back, forward, reload and bookmarks work.
 *
 * @typedef {{view: string, id: string, params: URLSearchParams}} Route
 */

/** @returns {Route} */
export function parseRoute(/** @type {string} */ hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", id = ""] = path.split("/");
  return { view: view || "search", id: decodeURIComponent(id), params: new URLSearchParams(query) };
}

/** Address of a view. Empty parameters are left out. */
export function href(/** @type {string} */ view, id = "", /** @type {Record<string, any> | URLSearchParams} */ params = {}) {
  const pairs = params instanceof URLSearchParams ? params : Object.entries(params).filter(([, value]) => value !== "");
  const query = new URLSearchParams(/** @type {any} */ (pairs)).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${query ? `?${query}` : ""}`;
}

/** Goes to an address; `replace` leaves no step for the back button. */
export function go(/** @type {string} */ address, replace = false) {
  if (address === location.hash) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else if (replace) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = address;
}
