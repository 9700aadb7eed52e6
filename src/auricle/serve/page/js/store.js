/**
 * What the page remembers between visits (theme, volume, which library …), in one entry of the browser's storage.
 *
 * @typedef {{theme: "auto" | "light" | "dark", hover: boolean, volume: number, library: string, drafts: Record<string, any>}} Settings
 */

const KEY = "auricle";

/** @type {Settings} */
const DEFAULTS = { theme: "auto", hover: false, volume: 0.9, library: "default", drafts: {} };

export class Store extends EventTarget {
  constructor() {
    super();
    /** @type {Settings} */
    this.settings = { ...DEFAULTS, ...read() };
  }

  /**
   * @template {keyof Settings} K
   * @param {K} name
   * @param {Settings[K]} value
   */
  set(name, value) {
    this.settings[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.settings));
    } catch {
      // Private browsing or a full disk: the choice holds until the page is closed.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
