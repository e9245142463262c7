// @vitest-environment happy-dom
// What the model promises for one edit: how little is written, how small it is, and where the caret is for whoever else is
// in the text.
import type { Editor } from "@tiptap/core";
import { Fragment, Slice } from "@tiptap/pm/model";
import { TextSelection } from "@tiptap/pm/state";
import { afterEach, expect, test, vi } from "vitest";
import { type AbstractType, applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector, Map as YMap, type YEvent, YMapEvent } from "yjs";
import type { Reader } from "./read";
import type { Sources } from "./sources";
import { copyOf, person, press, REMOTE } from "./testing/person";
import { differing } from "./window";

const opened: { close: () => void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function open(doc = new Doc()): ReturnType<typeof person> {
  const made = person(doc);
  opened.push(made);
  return made;
}

/** Two people in one text, every change arriving at once. */
function together(): readonly [ReturnType<typeof person>, ReturnType<typeof person>] {
  const [ann, bo] = [open(), open()];
  const relay = (from: Doc, to: Doc): void => void from.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== REMOTE) applyUpdate(to, update, REMOTE);
    });
  relay(ann.doc, bo.doc);
  relay(bo.doc, ann.doc);
  return [ann, bo];
}

/** What one act writes: how many characters and objects come and go, how many fields are set, how many bytes it is. */
function written({ doc }: { readonly doc: Doc }, act: () => void): { readonly come: number; readonly gone: number; readonly fields: number; readonly bytes: number } {
  let [come, gone, fields, bytes] = [0, 0, 0, 0];
  const text = doc.getText("body");
  const onBytes = (update: Uint8Array): void => void (bytes += update.byteLength);
  const onEvents = (events: readonly YEvent<AbstractType<unknown>>[]): void => {
    for (const event of events) {
      if (event instanceof YMapEvent) fields += event.keysChanged.size;
      else for (const { insert, delete: removed } of event.delta) {
        come += insert === undefined ? 0 : typeof insert === "string" ? insert.length : 1;
        gone += removed ?? 0;
      }
    }
  };
  doc.on("update", onBytes);
  text.observeDeep(onEvents as never);
  act();
  doc.off("update", onBytes);
  text.unobserveDeep(onEvents as never);
  return { come, gone, fields, bytes };
}

const type = ({ editor }: { readonly editor: Editor }, text: string): void => {
  for (const letter of text) editor.view.dispatch(editor.state.tr.insertText(letter));
};

/** Puts the caret behind the first `before` letters of the line that begins so. */
function into({ editor }: { readonly editor: Editor }, words: string, offset = words.length): void {
  editor.state.doc.descendants((node, place) => {
    if (!node.isTextblock || !node.textContent.startsWith(words)) return true;
    editor.view.dispatch(editor.state.tr.setSelection(TextSelection.create(editor.state.doc, place + 1 + offset)));
    return false;
  });
}

function lines(...texts: readonly string[]): ReturnType<typeof person> {
  const one = open();
  texts.forEach((text, at) => {
    if (at > 0) press(one.editor, "Enter");
    type(one, text);
  });
  return one;
}

test("a structural edit writes fields, and no letter", () => {
  const one = lines("first", "second line");
  into(one, "second");
  const edits: readonly [string, () => unknown, number][] = [
    ["heading", () => one.editor.commands.setHeading({ level: 1 }), 1],
    ["another level", () => one.editor.commands.setHeading({ level: 2 }), 1],
    ["paragraph", () => one.editor.commands.setParagraph(), 1],
    ["list", () => one.editor.commands.toggleBulletList(), 1],
    ["other list", () => one.editor.commands.toggleOrderedList(), 1],
    ["tasks", () => one.editor.commands.toggleTaskList(), 1],
    ["done", () => one.editor.commands.updateAttributes("taskItem", { checked: true }), 1],
    ["not in a list", () => one.editor.commands.toggleTaskList(), 1],
    ["quote", () => one.editor.commands.toggleBlockquote(), 1],
    ["no quote", () => one.editor.commands.toggleBlockquote(), 1],
    ["code", () => one.editor.commands.toggleCodeBlock(), 1],
    ["no code", () => one.editor.commands.toggleCodeBlock(), 1],
  ];
  for (const [name, act, fields] of edits) {
    const { come, fields: set } = written(one, () => void act());
    expect([name, come, set]).toEqual([name, 0, fields]);
  }
});

test("indent and outdent write where a block stands, and joining takes away one boundary", () => {
  const one = lines("zero", "one", "two");
  one.editor.commands.selectAll();
  one.editor.commands.toggleBulletList();
  into(one, "one");
  expect(written(one, () => press(one.editor, "Tab"))).toMatchObject({ come: 0, gone: 0, fields: 1 });
  expect(written(one, () => press(one.editor, "Tab", { shiftKey: true }))).toMatchObject({ come: 0, gone: 0, fields: 1 });
  one.editor.commands.selectAll();
  one.editor.commands.toggleBulletList();
  into(one, "two", 0);
  expect(written(one, () => press(one.editor, "Backspace"))).toMatchObject({ come: 0, fields: 0, gone: 1 });
  expect(one.editor.state.doc.textBetween(0, one.editor.state.doc.content.size, "|")).toBe("zero|onetwo");
});

test("Enter is small, and a key is small", () => {
  const one = lines("first", "second line");
  into(one, "second", 3);
  const key = written(one, () => type(one, "x"));
  const enter = written(one, () => press(one.editor, "Enter"));
  one.editor.commands.toggleBulletList();
  one.editor.commands.toggleBlockquote();
  const deep = written(one, () => press(one.editor, "Enter"));
  process.stdout.write(`bytes: a key ${key.bytes}, Enter ${enter.bytes}, in a list in a quote ${deep.bytes}\n`);
  expect(key.bytes).toBeLessThanOrEqual(24);
  expect(enter.bytes).toBeLessThanOrEqual(120);
  expect(deep.bytes).toBeLessThanOrEqual(120);
});

test("Enter at the start of a heading leaves its boundary with its words", () => {
  const one = lines("before", "title");
  one.editor.commands.setHeading({ level: 2 });
  into(one, "title", 0);
  expect(written(one, () => press(one.editor, "Enter"))).toMatchObject({ come: 1, gone: 0, fields: 0 });
  expect(one.editor.state.doc.toString()).toBe('doc(paragraph("before"), paragraph, heading("title"))');
});

test("formatting over several lines is one stretch", () => {
  const one = lines("first", "second", "third");
  one.editor.commands.selectAll();
  expect(written(one, () => one.editor.commands.toggleBold()).bytes).toBeLessThanOrEqual(110);
  expect(one.doc.getText("body").toDelta()).toHaveLength(5);
});

const CARETS: readonly (readonly [string, (editor: Editor) => unknown, number, string])[] = [
  ["split before it", (editor) => press(editor, "Enter"), 3, " two| three"],
  ["split behind it", (editor) => press(editor, "Enter"), 9, "one two| t"],
  ["a heading of it", (editor) => editor.commands.setHeading({ level: 2 }), 1, "one two| three"],
  ["a list of it", (editor) => editor.commands.toggleBulletList(), 1, "one two| three"],
  ["a quote of it", (editor) => editor.commands.toggleBlockquote(), 1, "one two| three"],
  ["code of it", (editor) => editor.commands.toggleCodeBlock(), 1, "one two| three"],
  ["joined with the line before", (editor) => press(editor, "Backspace"), 0, "zeroone two| three"],
  ["written in before it", (editor) => editor.view.dispatch(editor.state.tr.insertText("so ")), 0, "so one two| three"],
  ["written in where it is", (editor) => editor.view.dispatch(editor.state.tr.insertText("XX")), 7, "one two|XX three"],
];

test.each(CARETS)("a caret stays behind its letter: %s", (_name, act, at, expected) => {
  const [ann, bo] = together();
  type(ann, "zero");
  press(ann.editor, "Enter");
  type(ann, "one two three");
  into(bo, "one two three", 7);
  into(ann, "one two three", at);
  act(ann.editor);
  const { parent, parentOffset } = bo.editor.state.selection.$head;
  expect(`${parent.textContent.slice(0, parentOffset)}|${parent.textContent.slice(parentOffset)}`).toBe(expected);
});

test("a caret behind a table that was deleted stays behind its letter when the table is there again for what somebody wrote in it", () => {
  const doc = new Doc();
  const table = new YMap<unknown>([["type", "table"], ["id", "t"], ["rows", new YMap([["r", {}]])], ["columns", new YMap([["c", {}]])], ["deleted", true]]);
  doc.getText("body").applyDelta([{ insert: table }, { insert: "weft" }]);
  const one = open(doc);
  into(one, "weft", 2);
  doc.transact(() => doc.getText("cell/t/r/c").insert(0, "theirs"), REMOTE);
  type(one, "X");
  expect(one.editor.getText({ blockSeparator: "|" })).toContain("theirs|weXft");
});

test("a caret in a table that somebody pastes over is in the middle of no word that was pasted", () => {
  const [ann, bo] = together();
  type(ann, "before");
  press(ann.editor, "Enter");
  type(ann, "last!");
  into(ann, "last!", 0);
  ann.editor.commands.insertTable({ rows: 1, cols: 1, withHeaderRow: false });
  into(bo, "before");
  const { tr, doc, schema } = bo.editor.state;
  const pasted = ["new", "news!"].map((words) => schema.node("paragraph", null, schema.text(words)));
  bo.editor.view.dispatch(tr.setSelection(TextSelection.create(doc, tr.selection.head, doc.content.size - 1)).replaceSelection(new Slice(Fragment.from(pasted), 1, 1)));
  type(ann, "X");
  for (const { editor } of [ann, bo]) expect(editor.getText({ blockSeparator: "|" })).toBe("beforenew|news!X");
});

/** What `act` makes of a copy of the text, as one change. */
function elsewhere({ doc }: { readonly doc: Doc }, act: (other: ReturnType<typeof person>) => void): Uint8Array {
  const other = open(copyOf(doc, 7e6));
  const before = encodeStateVector(other.doc);
  act(other);
  return encodeStateAsUpdate(other.doc, before);
}

/** The word before an empty line is written on, and the line is joined to it. */
const writeOnAndJoin = (other: ReturnType<typeof person>): void => {
  into(other, "wea");
  type(other, "ving");
  press(other.editor, "Delete");
};

test.each([
  ["not composing", false, writeOnAndJoin],
  ["composing", true, writeOnAndJoin],
  ["composing, and joined first", true, (other: ReturnType<typeof person>): void => {
    into(other, "wea");
    press(other.editor, "Delete");
    type(other, "ving");
  }],
])("whoever writes in an empty line that is joined to a word cuts nothing in two: %s", (_name, composes, act) => {
  const one = lines("wea", "", "last");
  one.editor.commands.setTextSelection(6);
  const change = elsewhere(one, act);
  const write = (): void => {
    applyUpdate(one.doc, change, REMOTE);
    type(one, "loom");
  };
  if (composes) one.compose(write);
  else write();
  expect(one.editor.getText({ blockSeparator: "|" })).toBe("weavingloom|last");
});

test("a word goes on where it is when what is before it becomes a link meanwhile, and others write behind that", () => {
  const one = lines("see ");
  const link = elsewhere(one, (other) => {
    other.editor.commands.selectAll();
    other.editor.commands.setLink("https://example.org/");
  });
  // Where several write at one place, whose number is smaller stands first: the word, then the end of the link.
  one.doc.clientID = 2;
  const other = open(copyOf(one.doc, 1));
  applyUpdate(other.doc, link, REMOTE);
  into(other, "see ");
  type(other, "others");
  type(one, "we");
  applyUpdate(one.doc, link, REMOTE);
  type(one, "ft");
  applyUpdate(other.doc, encodeStateAsUpdate(one.doc), REMOTE);
  applyUpdate(one.doc, encodeStateAsUpdate(other.doc), REMOTE);
  expect(one.editor.getText()).toBe("see weftothers");
  expect(other.editor.state.doc.toString()).toBe(one.editor.state.doc.toString());
});

test("a word that goes on in code is not divided where a formatting ends that code does not show", () => {
  const [one, other] = [open(), open()];
  [one.doc.clientID, other.doc.clientID] = [1, 2];
  const toOne = (): void => applyUpdate(one.doc, encodeStateAsUpdate(other.doc, encodeStateVector(one.doc)), REMOTE);
  type(one, "slanted");
  one.editor.commands.selectAll();
  one.editor.commands.toggleItalic();
  into(one, "slanted");
  type(one, " wo");
  other.doc.getText("body").insert(0, "q");
  other.doc.getText("body").delete(0, 1);
  toOne();
  one.editor.commands.setCodeBlock();
  type(one, "rd");
  type(other, "!");
  toOne();
  expect(one.editor.getText()).toBe("slanted word!");
});

test("two who make one line a heading and a quote make it one of the two, with every letter", () => {
  const one = lines("zero", "words");
  const other = open();
  applyUpdate(other.doc, encodeStateAsUpdate(one.doc), REMOTE);
  into(one, "words");
  into(other, "words");
  one.editor.commands.setHeading({ level: 2 });
  other.editor.commands.toggleBlockquote();
  type(other, " more");
  applyUpdate(other.doc, encodeStateAsUpdate(one.doc), REMOTE);
  applyUpdate(one.doc, encodeStateAsUpdate(other.doc), REMOTE);
  expect(one.editor.state.doc.toString()).toBe(other.editor.state.doc.toString());
  expect(one.editor.state.doc.textContent).toBe("zerowords more");
});

test("undoing a table leaves what somebody else wrote in it, and two who add rows and columns at once get a whole one", () => {
  const [ann, bo] = together();
  ann.editor.commands.insertTable({ rows: 2, cols: 2, withHeaderRow: false });
  bo.editor.state.doc.descendants((node, at) => {
    if (node.type.name === "tableCell") bo.editor.commands.setTextSelection(at + 2);
  });
  type(bo, "theirs");
  ann.undo();
  expect(ann.editor.state.doc.textContent).toBe("theirs");
  expect(bo.editor.state.doc.toString()).toBe(ann.editor.state.doc.toString());
  ann.redo();
  let cells = 0;
  ann.editor.state.doc.descendants((node) => void (node.type.name === "tableCell" && cells++));
  expect(cells).toBe(4);
});

test("a key costs the line it is in, whatever others have changed in other lines", () => {
  const [ann, bo] = together();
  for (let at = 0; at < 30; at++) {
    if (at > 0) press(ann.editor, "Enter");
    type(ann, `line ${at}`);
  }
  into(ann, "line 9");
  ann.editor.commands.toggleBulletList();
  ann.editor.commands.insertTable({ rows: 2, cols: 2 });
  for (const [mine, theirs] of [["line 29", "line 0"], ["line 3", "line 20"], ["line 29", "line 9"], ["line 0", "line 27"]] as const) {
    for (const [person, line] of [[bo, theirs], [ann, mine], [bo, mine]] as const) {
      const before = new Set([ann, bo].flatMap(({ binding }) => binding.reading.index.sections));
      into(person, line);
      type(person, "x");
      for (const { binding, editor } of [ann, bo]) {
        // What stands elsewhere was not even read.
        expect(binding.reading.index.sections.filter((section) => !before.has(section))).toHaveLength(1);
        expect(binding.reading.doc).toBe(editor.state.doc);
        // What would be read next: nothing has to be compared but what is changed then.
        const { reader, sources } = binding as unknown as { readonly reader: Reader; readonly sources: Sources };
        expect(differing(reader.read(sources.now()).doc, editor.state.doc)).toBeNull();
      }
    }
  }
});

test("5,000 paragraphs", { timeout: 60_000 }, () => {
  const doc = new Doc();
  const text = doc.getText("body");
  text.applyDelta(Array.from({ length: 5000 }, (_, at) => [{ insert: new YMap([["type", "paragraph"]]) }, { insert: `Paragraph ${at} of a long text with some eighty letters in it, as people write them.` }]).flat());
  const update = encodeStateAsUpdate(doc);
  const time = (act: () => void, times = 1): number => {
    const start = performance.now();
    for (let count = 0; count < times; count++) act();
    return (performance.now() - start) / times;
  };
  const copy = new Doc();
  const load = time(() => applyUpdate(copy, update, REMOTE));
  let one: ReturnType<typeof person> | undefined;
  const bind = time(() => (one = open(copy)));
  if (one === undefined) return;
  into(one, "Paragraph 2500 ");
  const key = time(() => type(one!, "x"), 50);
  const enter = time(() => press(one!.editor, "Enter"), 20);
  const remote = time(() => doc.getText("body").insert(200_000, "y"));
  const states: Uint8Array[] = [];
  doc.on("update", (next: Uint8Array) => states.push(next));
  for (let count = 0; count < 50; count++) doc.getText("body").insert(200_000, "y");
  applyUpdate(copy, encodeStateAsUpdate(doc), REMOTE);
  let next = 0;
  const more: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => more.push(update));
  for (let count = 0; count < 50; count++) doc.getText("body").insert(200_000, "z");
  const heard = time(() => applyUpdate(copy, more[next++] ?? new Uint8Array(), REMOTE), 50);
  process.stdout.write(`5,000 paragraphs: ${update.byteLength} bytes, load ${load.toFixed(0)} ms, read ${bind.toFixed(0)} ms, a key ${key.toFixed(2)} ms, Enter ${enter.toFixed(2)} ms, from elsewhere ${heard.toFixed(2)} ms (${remote.toFixed(2)})\n`);
  expect(one.editor.state.doc.childCount).toBe(5020);
});

test("somebody else who fails on hearing of a change does not have it written again", () => {
  const ann = open();
  const reported: unknown[] = [];
  vi.stubGlobal("reportError", (error: unknown) => reported.push(error));
  try {
    const fail = (): never => {
      throw new Error("the disk is full");
    };
    ann.doc.on("afterTransaction", fail);
    type(ann, "Nowhere.");
    ann.doc.off("afterTransaction", fail);
    type(ann, " Again.");
  } finally {
    vi.unstubAllGlobals();
  }
  expect(reported).toHaveLength(8);
  expect(ann.doc.getText("body").toJSON()).toBe("Nowhere. Again.");
  expect(ann.editor.getText()).toBe("Nowhere. Again.");
});
