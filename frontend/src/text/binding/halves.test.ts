// @vitest-environment happy-dom
// Selections that begin outside of a table and end in it, or the other way round, and what is done to them while others
// write in the same table; and whoever only reads, and writes nothing whatever comes.
import { CellSelection } from "@tiptap/pm/tables";
import { TextSelection } from "@tiptap/pm/state";
import type { Node } from "@tiptap/pm/model";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector, Map as YMap } from "yjs";
import { createEditor } from "../editor";
import { readText } from "./binding";
import { BODY } from "./model";
import { person, press, REMOTE } from "./testing/person";

type One = ReturnType<typeof person>;

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

function open(): One {
  const made = person(new Doc());
  opened.push(() => made.close());
  return made;
}

function meet(one: One, other: One): void {
  for (let turn = 0; turn < 2; turn++) {
    applyUpdate(other.doc, encodeStateAsUpdate(one.doc, encodeStateVector(other.doc)), REMOTE);
    applyUpdate(one.doc, encodeStateAsUpdate(other.doc, encodeStateVector(one.doc)), REMOTE);
  }
}

/** Behind these words, wherever they stand. */
function place({ editor }: One, words: string): number {
  let found = -1;
  editor.state.doc.descendants((node, at) => {
    const offset = node.isTextblock ? node.textContent.indexOf(words) : -1;
    if (offset >= 0) found = at + 1 + offset + words.length;
  });
  if (found < 0) throw new Error(`"${words}" is nowhere`);
  return found;
}

/** A line, a table of three by three with a word in each cell, and a line. */
function started(): readonly [One, One] {
  const [ann, bo] = [open(), open()];
  const line = (text: string): object => ({ type: "paragraph", content: [{ type: "text", text }] });
  const row = (...texts: string[]): object => ({ type: "tableRow", content: texts.map((text) => ({ type: "tableCell", content: [line(text)] })) });
  const content = [line("above"), { type: "table", content: [row("aaa", "bbb", "ccc"), row("ddd", "eee", "fff"), row("ggg", "hhh", "iii")] }, line("below")];
  ann.editor.commands.setContent({ type: "doc", content: content as never });
  meet(ann, bo);
  return [ann, bo];
}

const ACTS: readonly (readonly [string, (one: One) => void])[] = [
  ["deleted", ({ editor }) => void editor.commands.deleteSelection()],
  ["Backspace", ({ editor }) => void press(editor, "Backspace")],
  ["Enter", ({ editor }) => void press(editor, "Enter")],
  ["a word in its place", ({ editor }) => editor.view.dispatch(editor.state.tr.insertText("new"))],
  ["a heading", ({ editor }) => void editor.commands.setHeading({ level: 2 })],
  ["a list", ({ editor }) => void editor.commands.toggleBulletList()],
  ["a quote", ({ editor }) => void editor.commands.toggleBlockquote()],
  ["bold", ({ editor }) => void editor.commands.toggleBold()],
  ["pasted over", ({ editor }) => void editor.commands.insertContent([{ type: "paragraph", content: [{ type: "text", text: "pasted" }] }, { type: "paragraph" }])],
];

test.each(ACTS)("half a table selected, and then: %s", (_name, act) => {
  for (const [from, to] of [["above".slice(0, 3), "aaa"], ["abo", "ee"], ["hh", "bel"], ["bb", "ee"], ["abo", "bel"]] as const) {
    const [ann, bo] = started();
    const selection = TextSelection.between(ann.editor.state.doc.resolve(place(ann, from)), ann.editor.state.doc.resolve(place(ann, to)));
    ann.editor.view.dispatch(ann.editor.state.tr.setSelection(selection));
    for (const [at, words] of ["above", "aaa", "eee", "hhh", "below"].entries()) bo.editor.view.dispatch(bo.editor.state.tr.insertText(`<${at}>`, place(bo, words)));
    act(ann);
    meet(ann, bo);
    const note = `from ${from} to ${to}`;
    const [one, other]: readonly Node[] = [ann.editor.state.doc, bo.editor.state.doc];
    one?.check();
    expect(JSON.stringify(other?.toJSON()), note).toBe(JSON.stringify(one?.toJSON()));
    expect(JSON.stringify(readText(ann.doc, ann.editor.schema).toJSON()), note).toBe(JSON.stringify(one?.toJSON()));
    for (let at = 0; at < 5; at++) expect(one?.textContent.split(`<${at}>`), `${note}: <${at}> in ${one?.textContent}`).toHaveLength(2);
  }
});

test("cells of a column selected and deleted keep what was written in them meanwhile", () => {
  const [ann, bo] = started();
  const cellAt = (words: string): number => ann.editor.state.doc.resolve(place(ann, words)).before(-1);
  ann.editor.view.dispatch(ann.editor.state.tr.setSelection(CellSelection.create(ann.editor.state.doc, cellAt("bbb"), cellAt("hhh"))));
  bo.editor.view.dispatch(bo.editor.state.tr.insertText("<new>", place(bo, "eee")));
  press(ann.editor, "Backspace");
  meet(ann, bo);
  for (const { editor } of [ann, bo]) {
    expect(editor.state.doc.textContent.split("<new>")).toHaveLength(2);
    expect(editor.state.doc.textContent).not.toContain("bbb");
  }
});

test("whoever only reads writes nothing, whatever comes and however odd it is", () => {
  const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../../tests/fixtures/text-model/reading.json"), "utf8")) as { readonly cases: readonly { readonly name: string; readonly body: readonly { insert: unknown }[] }[] };
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const element = document.body.appendChild(document.createElement("div"));
  const editor = createEditor({ element, doc, awareness, editable: false, words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  opened.push(() => {
    editor.destroy();
    awareness.destroy();
    element.remove();
  });
  const written: string[] = [];
  let now = "";
  doc.on("update", (_update: Uint8Array, origin: unknown) => void (origin !== REMOTE && written.push(now)));
  const other = new Doc();
  for (const { name, body } of cases) {
    now = name;
    const text = other.getText(BODY);
    other.transact(() => {
      text.delete(0, text.length);
      text.applyDelta(body.map((op) => ({ ...op, insert: typeof op.insert === "string" ? op.insert : new YMap(Object.entries(op.insert as object)) })));
    });
    applyUpdate(doc, encodeStateAsUpdate(other, encodeStateVector(doc)), REMOTE);
    expect(JSON.stringify(editor.getJSON()), name).toBe(JSON.stringify(readText(other, editor.schema).toJSON()));
  }
  expect(written).toEqual([]);
});
