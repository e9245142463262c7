import { expect, test } from "vitest";
import { takenFrom, type Taken } from "./keys";

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
const taken = (key: string, held: Partial<typeof NONE> = {}, board = { selected: 0, editable: true }): Taken | null => takenFrom({ key, ...NONE, ...held }, board);

test("help and the palette are the page's on a board too", () => {
  expect(taken("?", { shiftKey: true })).toBe("help");
  expect(taken("?", { shiftKey: true }, { selected: 0, editable: false })).toBe("help");
  expect(taken("k", { ctrlKey: true })).toBe("palette");
  expect(taken("K", { metaKey: true }, { selected: 2, editable: true })).toBe("palette");
});

test("with one shape in hand Ctrl K links it, for those who may", () => {
  expect(taken("k", { ctrlKey: true }, { selected: 1, editable: true })).toBe(null);
  expect(taken("k", { ctrlKey: true }, { selected: 1, editable: false })).toBe("palette");
});

test("no key clears a board that belongs to everybody; Delete alone deletes what is selected", () => {
  for (const key of ["Delete", "Backspace"]) {
    for (const held of [{ ctrlKey: true }, { metaKey: true }, { ctrlKey: true, shiftKey: true }]) expect(taken(key, held)).toBe("nothing");
    expect(taken(key)).toBe(null);
  }
});

test("N is a note for those who may write, and with another key held it is none", () => {
  expect(taken("n")).toBe("note");
  expect(taken("N")).toBe("note");
  expect(taken("n", {}, { selected: 0, editable: false })).toBe(null);
  for (const held of [{ ctrlKey: true }, { altKey: true }, { shiftKey: true }]) expect(taken("n", held)).toBe(null);
});

test("printing is the browser's; tools are Excalidraw's", () => {
  expect(taken("p", { ctrlKey: true })).toBe("browser");
  for (const key of ["p", "k", "r", "a", "Escape", "Tab"]) expect(taken(key)).toBe(null);
});
