// The promises of the palette, computed as WCAG 2 defines contrast.
import { expect, test } from "vitest";
import { contrast } from "../testing/contrast";
import { generator } from "../testing/random";
import { anotherColour } from "./more-colours";
import { COLOURS, isColour, randomColour } from "./colours";

/** The page's background in the dark theme, `--paper` in ui/theme.css. */
const DARK_PAPER = "#17181b";
const LIGHT_PAPER = "#fbfaf8";

test.each(COLOURS)("%s carries white letters and stands out as a caret on both papers", (colour) => {
  expect(contrast(colour, "#ffffff")).toBeGreaterThanOrEqual(4.5);
  expect(contrast(colour, DARK_PAPER)).toBeGreaterThanOrEqual(3);
  expect(contrast(colour, LIGHT_PAPER)).toBeGreaterThanOrEqual(3);
});

test("so does every colour for a crowd", () => {
  const random = generator(7);
  const taken = new Set<string>(COLOURS);
  for (let count = 0; count < 200; count += 1) {
    const colour = anotherColour(taken, random);
    expect(isColour(colour) && !taken.has(colour)).toBe(true);
    expect(contrast(colour, "#ffffff")).toBeGreaterThanOrEqual(4.5);
    expect(contrast(colour, DARK_PAPER)).toBeGreaterThanOrEqual(3);
    expect(contrast(colour, LIGHT_PAPER)).toBeGreaterThanOrEqual(3);
    taken.add(colour);
  }
});

test("a random colour is one of them, at both ends of the range", () => {
  expect(randomColour(() => 0)).toBe(COLOURS[0]);
  expect(randomColour(() => 0.999_999)).toBe(COLOURS.at(-1));
});

test("only six-digit colours are colours", () => {
  expect(isColour("#0e7490")).toBe(true);
  for (const bad of ["red", "#fff", "#0e749", "#0e7490;background:url(//x)", "", null, 7]) expect(isColour(bad)).toBe(false);
});
