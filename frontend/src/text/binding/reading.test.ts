// The table of readings, which the server's tests read too: each sequence is this document and no other, and is written
// back as it is.
import { getSchema } from "@tiptap/core";
import { EditorState } from "@tiptap/pm/state";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Array as YArray, Doc, encodeStateAsUpdate, Map as YMap, Text as YText } from "yjs";
import { readText, TextBinding } from "./binding";
import { plainJson } from "./json";
import { BODY } from "./model";
import { extensions } from "./testing/person";

interface Op {
  readonly insert: string | Readonly<Record<string, unknown>>;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

interface Case {
  readonly name: string;
  readonly body: readonly Op[];
  readonly cells?: Readonly<Record<string, readonly Op[]>>;
  readonly document: unknown;
}

const table = JSON.parse(readFileSync(new URL("../../../../tests/fixtures/text-model/reading.json", import.meta.url), "utf8")) as { readonly cases: readonly Case[] };
const schema = getSchema(extensions());

function map(fields: Readonly<Record<string, unknown>>): YMap<unknown> {
  const isNested = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);
  return new YMap(Object.entries(fields).map(([field, value]) => [field, ["rows", "columns", "spans"].includes(field) && isNested(value) ? new YMap(Object.entries(value)) : value]));
}

function written({ body, cells = {} }: Case): Doc {
  const doc = new Doc();
  for (const [name, ops] of [[BODY, body] as const, ...Object.entries(cells)]) {
    doc.getText(name).applyDelta(ops.map((op) => ({ ...op, insert: typeof op.insert === "string" ? op.insert : map(op.insert) })));
  }
  return doc;
}

test.each(table.cases)("$name", (one) => {
  const doc = written(one);
  const read = readText(doc, schema);
  read.check();
  expect(plainJson(read)).toEqual(one.document);
  // Shown and not changed, it is not written.
  const before = encodeStateAsUpdate(doc);
  const binding = new TextBinding({ doc, schema });
  expect(binding.write(EditorState.create({ doc: binding.document }), null)).toBeNull();
  // And what is written as it reads is read as it was.
  const copy = new Doc();
  const other = new TextBinding({ doc: copy, schema });
  const correction = other.write(EditorState.create({ doc: read }), null);
  expect(plainJson(correction?.doc ?? other.document)).toEqual(one.document);
  expect(encodeStateAsUpdate(doc)).toEqual(before);
});

test("a field is a plain value or a map, and other shared types are nothing", () => {
  const doc = new Doc();
  const array = new YArray<unknown>();
  const words = new YText();
  const rows = new YMap<unknown>([["r", new YMap<unknown>([["deleted", new YMap([["a", new YMap()]])]])]]);
  doc.getText(BODY).insertEmbed(0, new YMap<unknown>([["type", "quote"]]));
  doc.getText(BODY).insertEmbed(1, new YMap<unknown>([["type", words], ["parents", array]]));
  doc.getText(BODY).insertEmbed(2, new YMap<unknown>([["type", "table"], ["id", "t"], ["rows", rows], ["columns", new YMap([["c", {}]])]]));
  array.push(["quote"]);
  words.insert(0, "heading");
  expect(plainJson(readText(doc, schema))).toEqual([
    { type: "quote", content: [{ type: "paragraph" }] },
    { type: "paragraph" },
    { type: "table", rows: [{ cells: [{ content: [{ type: "paragraph" }] }] }] },
  ]);
});
