import { expect, test } from "vitest";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { onKind, readKind, writeKind } from "./kind";

test("a document that says nothing is a text, and saying so again writes nothing", () => {
  const doc = new Doc();
  let updates = 0;
  doc.on("update", () => updates++);
  expect(readKind(doc)).toBe("text");
  writeKind(doc, "text");
  expect(updates).toBe(0);
});

test("a kind travels, and is heard of", () => {
  const [ours, theirs] = [new Doc(), new Doc()];
  let heard = 0;
  const end = onKind(theirs, () => heard++);
  writeKind(ours, "plain");
  applyUpdate(theirs, encodeStateAsUpdate(ours));
  expect([readKind(theirs), heard]).toEqual(["plain", 1]);
  end();
});

test("a kind from the future is not mistaken for a text", () => {
  const doc = new Doc();
  doc.getMap("meta").set("kind", "spreadsheet");
  expect(readKind(doc)).toBeNull();
  doc.getMap("meta").set("kind", 7);
  expect(readKind(doc)).toBeNull();
});
