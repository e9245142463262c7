// The colours people appear in. Each is dark enough for white letters on it (label, avatar) and light enough to be seen
// as a caret on the dark theme; the test beside this file computes both.

export const COLOURS = [
  "#c2410c",
  "#b4540a",
  "#8a6a00",
  "#4d7c0f",
  "#15803d",
  "#0f7d78",
  "#0e7490",
  "#1d6fd1",
  "#5b61d6",
  "#8b4fd8",
  "#b03ab8",
  "#cf2f74",
] as const;

/** What a stranger's client may send: only plain six-digit colours reach a style attribute. */
export function isColour(value: unknown): value is string {
  return typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value);
}

export function randomColour(random: () => number = Math.random): string {
  return COLOURS[Math.floor(random() * COLOURS.length)] ?? COLOURS[0];
}
