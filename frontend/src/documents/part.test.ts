import { expect, test } from "vitest";
import { Doc } from "yjs";
import type { Kind } from "./kind";
import { writeKind } from "./kind";
import { isBegun } from "./part";

const CONTENT: Readonly<Record<Kind, (doc: Doc) => void>> = {
  text: (doc) => doc.getText("body").insert(0, "word"),
  plain: (doc) => doc.getText("content").insert(0, "word"),
  board: (doc) => doc.getMap("elements").set("id", 1),
};

test("a document is shown when something of it is there and its kind is certain", () => {
  for (const kind of ["text", "plain", "board"] as const) {
    const doc = new Doc();
    expect(isBegun(doc, kind), kind).toBe(false);
    CONTENT[kind](doc);
    // As it says nothing yet, it could be any.
    expect(isBegun(doc, null), kind).toBe(false);
    expect(isBegun(doc, kind), kind).toBe(kind === "text");
    doc.getMap("meta").set("title", "A title");
    expect(isBegun(doc, null), kind).toBe(false);
    doc.getMap("meta").set("kind", kind);
    expect(isBegun(doc, null), kind).toBe(true);
  }
});

test("what this app cannot show is not shown, and nothing is nothing", () => {
  const doc = new Doc();
  writeKind(doc, "board");
  CONTENT.text(doc);
  expect(isBegun(doc, "board")).toBe(false);
  doc.getMap("meta").set("kind", "of tomorrow");
  CONTENT.board(doc);
  expect(isBegun(doc, "of tomorrow")).toBe(false);
});
