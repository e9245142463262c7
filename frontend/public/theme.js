// Runs before the first paint, as a file because the page's policy forbids inline scripts: a person who chose a theme
// other than the system's must not see the other one flash. The key is written by src/ui/settings.ts.
try {
  const theme = JSON.parse(localStorage.getItem("weft.settings") || "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage, or something else wrote there: the system's theme is right.
}
