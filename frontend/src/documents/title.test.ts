import { expect, test } from "vitest";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { LONGEST_TITLE, onTitle, readTitle, writeTitle } from "./title";

test("a title travels, and an unchanged one writes nothing", () => {
  const [ours, theirs] = [new Doc(), new Doc()];
  writeTitle(ours, "Plan\nfor May");
  applyUpdate(theirs, encodeStateAsUpdate(ours));
  expect(readTitle(theirs)).toBe("Plan for May");

  let updates = 0;
  ours.on("update", () => updates++);
  writeTitle(ours, "Plan for May");
  expect(updates).toBe(0);
});

test("what another client stored there cannot hurt", () => {
  const doc = new Doc();
  expect(readTitle(doc)).toBe("");
  doc.getMap("meta").set("title", 42);
  expect(readTitle(doc)).toBe("");
  doc.getMap("meta").set("title", "x".repeat(10_000));
  expect(readTitle(doc)).toHaveLength(LONGEST_TITLE);
});

test("listening ends when asked to", () => {
  const doc = new Doc();
  let heard = 0;
  const end = onTitle(doc, () => heard++);
  writeTitle(doc, "a");
  end();
  writeTitle(doc, "b");
  expect(heard).toBe(1);
});
