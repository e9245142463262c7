import { expect, test } from "vitest";
import { Doc, Map as YMap, type Text as YText } from "yjs";
import { sharedWords, storedFields, storedShape, unborn, writeFields, ELEMENTS } from "./stored";

test("a shape is put in without what belongs to one browser, deleted as yet, with its words to be written by many", () => {
  const elements = new Doc().getMap<unknown>(ELEMENTS);
  elements.set("a", unborn({ id: "a", type: "text", version: 3, versionNonce: 4, updated: 5, isDeleted: false, originalText: "hello", x: 1 }));
  const shape = storedShape(elements, "a") as YMap<unknown>;
  expect(storedFields(shape)).toEqual({ type: "text", isDeleted: true, originalText: "hello", x: 1 });
  expect(sharedWords(shape)?.toJSON()).toBe("hello");
});

test("what was changed in the words goes into what they have become, letter by letter", () => {
  const elements = new Doc().getMap<unknown>(ELEMENTS);
  elements.set("a", unborn({ id: "a", type: "text", version: 1, versionNonce: 1, isDeleted: false, originalText: "one two", link: "x" }));
  const shape = storedShape(elements, "a") as YMap<unknown>;
  const words = sharedWords(shape) as YText;
  words.insert(0, "zero ");
  writeFields(shape, new Map<string, unknown>([["originalText", "one two three"], ["link", undefined], ["x", 4]]), "one two");
  expect(storedFields(shape)).toEqual({ type: "text", isDeleted: true, originalText: "zero one two three", x: 4 });
  expect(sharedWords(shape)).toBe(words);
});

test("whatever another program stored is read without failing, and words stored as a plain string stay one", () => {
  const elements = new Doc().getMap<unknown>(ELEMENTS);
  elements.set("odd", 7);
  elements.set("plain", new YMap<unknown>(Object.entries({ type: "text", originalText: "hello", deep: new YMap() })));
  expect([storedShape(elements, "odd"), storedShape(elements, "gone"), sharedWords(null)]).toEqual([null, null, null]);
  const plain = storedShape(elements, "plain") as YMap<unknown>;
  expect(storedFields(plain)).toEqual({ type: "text", originalText: "hello" });
  writeFields(plain, new Map([["originalText", "bye"]]), "hello");
  expect([plain.get("originalText"), sharedWords(plain)]).toEqual(["bye", null]);
});
