// Runs before the first paint, so that a chosen theme never flashes. The system's own is the default.
try {
  const { theme } = JSON.parse(localStorage.getItem("auricle") ?? "{}");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked or holds something else: the system's theme it is.
}
