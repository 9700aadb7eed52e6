/** Colours of the theme for canvases, and the palette of the map and of the lanes. */

/** @returns {(name: string) => string} reads a custom property, e.g. `colour("accent")` */
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Twelve hues told apart also by most colour-blind eyes when neighbours differ in lightness; light and dark themes. */
const LIGHT = ["#8a1f5c", "#c2570c", "#0f6e84", "#5b4bb5", "#3f7d20", "#a8861a", "#b8336a", "#2b59c3", "#7a5230", "#00827f", "#9a4f96", "#d1495b"];
const DARK = ["#e77fb3", "#f0a35e", "#6cc5d9", "#a99cf5", "#9bd07a", "#e6cf6a", "#ff9bb3", "#8fb1ff", "#d0a98a", "#63d3c6", "#dda6ee", "#ff8f87"];

export function palette() {
  return isDark() ? DARK : LIGHT;
}
