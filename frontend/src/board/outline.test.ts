import { expect, test } from "vitest";
import type { BoardElement } from "./element";
import { shape } from "./fake-view";
import { outlineOf } from "./outline";

const element = (id: string, type: string, fields: Readonly<Record<string, unknown>> = {}): BoardElement =>
  ({ ...shape(id, type), versionNonce: 1, ...fields }) as unknown as BoardElement;

test("frames with their words first, then the rest, each from the upper left", () => {
  const { entries, silent } = outlineOf([
    element("t3", "text", { text: "lower", y: 300 }),
    element("t2", "text", { text: "right", x: 400, y: 28 }),
    element("t1", "text", { text: "left", x: 0 }),
    element("frame", "frame", { name: "Plans", y: 900 }),
    element("inside", "text", { originalText: "in the\n frame", text: "in\nthe\nframe", frameId: "frame" }),
    element("box", "rectangle"),
    element("gone", "text", { text: "gone", isDeleted: true }),
  ]);
  expect(entries.map(({ words, inside }) => [words, inside.map((entry) => entry.words)])).toEqual([
    ["Plans", ["in the frame"]],
    ["left", []],
    ["right", []],
    ["lower", []],
  ]);
  expect(silent).toBe(1);
});

test("a text inside a shape stands for the shape; a sticky note is called one", () => {
  const { entries, silent } = outlineOf([
    element("note", "rectangle", { customData: { kind: "note" } }),
    element("words", "text", { text: "buy wool", containerId: "note" }),
    element("lost", "text", { text: "alone", containerId: "nobody", frameId: "nowhere", y: 500 }),
  ]);
  expect(entries).toEqual([
    { id: "note", kind: "note", words: "buy wool", inside: [] },
    { id: "lost", kind: "text", words: "alone", inside: [] },
  ]);
  expect(silent).toBe(0);
});
