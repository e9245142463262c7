// @vitest-environment happy-dom
// Tables: rows and columns by their ids, cells that are merged and parted, tables that move, and what others write in them
// meanwhile.
import type { Node } from "@tiptap/pm/model";
import { CellSelection } from "@tiptap/pm/tables";
import { afterEach, expect, test } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from "yjs";
import { moveColumn, moveRow } from "../move-rows";
import { line, person, press, REMOTE } from "./testing/person";

type One = ReturnType<typeof person>;

const opened: One[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function open(): One {
  const made = person(new Doc());
  opened.push(made);
  return made;
}

function meet(one: One, other: One): void {
  for (let turn = 0; turn < 2; turn++) {
    applyUpdate(other.doc, encodeStateAsUpdate(one.doc, encodeStateVector(other.doc)), REMOTE);
    applyUpdate(one.doc, encodeStateAsUpdate(other.doc, encodeStateVector(one.doc)), REMOTE);
  }
  expect(JSON.stringify(other.editor.state.doc.toJSON())).toBe(JSON.stringify(one.editor.state.doc.toJSON()));
}

const cells = (doc: Node): readonly { readonly at: number; readonly node: Node }[] => {
  const all: { at: number; node: Node }[] = [];
  doc.descendants((node, at) => {
    if (node.type.spec.tableRole === "cell" || node.type.spec.tableRole === "header_cell") all.push({ at, node });
  });
  return all;
};

function write({ editor }: One, cell: number, words: string): void {
  const place = cells(editor.state.doc)[cell];
  if (place === undefined) throw new Error(`there is no cell ${cell}`);
  editor.commands.setTextSelection(place.at + 2);
  editor.view.dispatch(editor.state.tr.insertText(words));
}

const rows = ({ editor }: One): string[][] => {
  const all: string[][] = [];
  editor.state.doc.descendants((node) => {
    if (node.type.name === "tableRow") all.push(node.children.map((cell) => cell.textContent));
  });
  return all;
};

/** Ann and Bo with a table of three by three, with a letter in each cell. */
function three(): readonly [One, One] {
  const [ann, bo] = [open(), open()];
  ann.editor.commands.insertTable({ rows: 3, cols: 3, withHeaderRow: true });
  [..."abcdefghi"].forEach((letter, at) => write(ann, at, letter));
  meet(ann, bo);
  return [ann, bo];
}

test("two who add rows and columns at once have a whole table", () => {
  const [ann, bo] = three();
  for (let turn = 0; turn < 6; turn++) {
    ann.editor.commands.setTextSelection((cells(ann.editor.state.doc)[turn]?.at ?? 0) + 2);
    bo.editor.commands.setTextSelection((cells(bo.editor.state.doc)[turn]?.at ?? 0) + 2);
    if (turn % 2 === 0) ann.editor.commands.addRowAfter();
    else ann.editor.commands.addColumnBefore();
    if (turn % 3 === 0) bo.editor.commands.addColumnAfter();
    else bo.editor.commands.addRowBefore();
  }
  meet(ann, bo);
  const widths = new Set(rows(ann).map((row) => row.length));
  expect([...widths]).toEqual([3 + 3 + 2]);
  expect(rows(ann)).toHaveLength(3 + 3 + 4);
  expect(rows(ann).flat().join("")).toBe("abcdefghi");
});

test("what is written in a row that somebody deletes stays, alone in its row", () => {
  const [ann, bo] = three();
  write(bo, 4, "new");
  ann.editor.commands.setTextSelection((cells(ann.editor.state.doc)[3]?.at ?? 0) + 2);
  ann.editor.commands.deleteRow();
  meet(ann, bo);
  expect(rows(ann)).toEqual([["a", "b", "c"], ["", "new", ""], ["g", "h", "i"]]);
  ann.undo();
  meet(ann, bo);
  expect(rows(ann)[1]?.join()).toMatch(/^d,(newe|enew),f$/);
});

test("what is written in a table that somebody deletes stays, and undo brings back the rest", () => {
  const [ann, bo] = three();
  write(bo, 8, "new");
  ann.editor.commands.setTextSelection(4);
  ann.editor.commands.deleteTable();
  expect(ann.editor.state.doc.textContent).toBe("");
  meet(ann, bo);
  expect(rows(ann)).toEqual([["new"]]);
  ann.undo();
  meet(ann, bo);
  expect(rows(ann).flat().join("")).toMatch(/^abcdefgh(newi|inew)$/);
});

function merge({ editor }: One, first: number, last: number): void {
  const at = (cell: number): number => cells(editor.state.doc)[cell]?.at ?? 0;
  editor.view.dispatch(editor.state.tr.setSelection(CellSelection.create(editor.state.doc, at(first), at(last))));
  editor.commands.mergeCells();
}

/** Keys, one after the other, where the caret is. */
function type({ editor }: One, words: string): void {
  for (const letter of words) editor.view.dispatch(editor.state.tr.insertText(letter));
}

function caretAt({ editor }: One, cell: number, offset: number): void {
  editor.commands.setTextSelection((cells(editor.state.doc)[cell]?.at ?? 0) + 2 + offset);
}

/** Two in one table, of whom each hears of what the other did when it is said so. */
function apart(): { readonly ann: One; readonly bo: One; readonly toAnn: () => void; readonly toBo: () => void; readonly both: () => void } {
  const [ann, bo] = three();
  const [toBo, toAnn] = [line(ann, bo), line(bo, ann)];
  const both = (): void => {
    for (let times = 0; times < 4; times++) {
      toAnn();
      toBo();
    }
    meet(ann, bo);
  };
  return { ann, bo, toAnn, toBo, both };
}

const spans = ({ editor }: One): readonly string[] => cells(editor.state.doc).map(({ node }) => `${node.children.map((block) => block.textContent).join("/")} ${node.attrs["colspan"]}x${node.attrs["rowspan"]}`);

/** Ann merges a, b, d and e while Bo writes in the last of them. */
const MERGED: readonly (readonly [string, number, string])[] = [
  ["at its end", 1, "e writes"],
  ["at its start", 0, " writese"],
];

test.each(MERGED)("what somebody writes %s of a cell goes along with its words where it is merged, and so does the caret", (_where, offset, words) => {
  const merged = [`a/b/d/${words} 2x2`, "c 1x1", "f 1x1", "g 1x1", "h 1x1", "i 1x1"];
  // What is heard before the merge, while it is not known of, and behind it.
  for (const [before, between, behind] of [[0, 7, 7], [0, 0, 0], [0, 0, 7], [2, 4, 6], [3, 3, 5], [7, 7, 7]] as const) {
    const { ann, bo, toAnn, toBo, both } = apart();
    caretAt(bo, 4, offset);
    type(bo, " writes".slice(0, before));
    toAnn();
    merge(ann, 0, 4);
    type(bo, " writes".slice(before, between));
    toBo();
    type(bo, " writes".slice(between, behind));
    toAnn();
    type(bo, " writes".slice(behind, behind + 1));
    both();
    type(bo, " writes".slice(behind + 1));
    both();
    for (const one of [ann, bo]) expect(spans(one)).toEqual(merged);
    expect(caretIn(bo)).toBe(offset === 0 ? " writes|e" : "e writes|");
    ann.undo();
    both();
    for (const one of [ann, bo]) expect(rows(one)).toEqual([["a", "b", "c"], ["d", words, "f"], ["g", "h", "i"]]);
    expect(caretIn(bo)).toBe(offset === 0 ? " writes|e" : "e writes|");
    ann.redo();
    both();
    for (const one of [ann, bo]) expect(spans(one)).toEqual(merged);
  }
});

test.each([0, 1, 2])("a word that is composed in a cell that somebody merges is whole, %i letters of it known before", (heard) => {
  const { ann, bo, both, toAnn, toBo } = apart();
  caretAt(bo, 4, 1);
  bo.compose(() => {
    type(bo, "XY".slice(0, heard));
    toAnn();
    type(bo, "XY".slice(heard));
    merge(ann, 0, 4);
    toBo();
    const { head } = bo.editor.state.selection;
    expect(bo.editor.state.doc.textBetween(head - 2, head)).toBe("XY");
    type(bo, "Z");
    toAnn();
    toBo();
    const { head: end } = bo.editor.state.selection;
    bo.binding.complete(end - 3, end);
  });
  type(bo, "!");
  both();
  for (const one of [ann, bo]) expect(spans(one)).toEqual(["a/b/d/eXYZ! 2x2", "c 1x1", "f 1x1", "g 1x1", "h 1x1", "i 1x1"]);
});

test("words in a cell that was empty when it was merged are a line of it, and not torn", () => {
  const [ann, bo] = [open(), open()];
  ann.editor.commands.insertTable({ rows: 2, cols: 2, withHeaderRow: false });
  write(ann, 0, "a");
  meet(ann, bo);
  caretAt(bo, 3, 0);
  type(bo, "wo");
  merge(ann, 0, 3);
  meet(ann, bo);
  type(bo, "rd");
  meet(ann, bo);
  for (const one of [ann, bo]) expect(spans(one)).toEqual(["a/word 2x2"]);
  expect(caretIn(bo)).toBe("word|");
  bo.undo();
  meet(ann, bo);
  expect(spans(ann)).toEqual(["a 2x2"]);
});

test("cells are merged and parted, and merged ones with others: each word stays in its own", () => {
  const [ann, bo] = three();
  const sizes: number[] = [];
  ann.doc.on("update", (update: Uint8Array) => void sizes.push(update.length));
  merge(ann, 0, 3);
  expect(spans(ann)).toEqual(["a/d 1x2", "b 1x1", "c 1x1", "e 1x1", "f 1x1", "g 1x1", "h 1x1", "i 1x1"]);
  write(bo, 1, "new");
  merge(ann, 0, 3);
  // Nothing but what is covered is written.
  expect(Math.max(...sizes)).toBeLessThan(120);
  meet(ann, bo);
  for (const one of [ann, bo]) expect(spans(one)).toEqual(["a/newb/d/e 2x2", "c 1x1", "f 1x1", "g 1x1", "h 1x1", "i 1x1"]);
  caretAt(ann, 0, 1);
  press(ann.editor, "Enter");
  type(ann, "more");
  type(bo, "er");
  ann.editor.commands.splitCell();
  meet(ann, bo);
  for (const one of [ann, bo]) expect(rows(one)).toEqual([["amore", "newerb", "c"], ["d", "e", "f"], ["g", "h", "i"]]);
});

test("a row is put in where all the others are under one merged cell, and no column is another for that", () => {
  const { ann, bo, both } = apart();
  merge(ann, 0, 8);
  both();
  caretAt(ann, 0, 0);
  ann.editor.commands.addRowAfter();
  caretAt(bo, 0, 1);
  type(bo, "!");
  both();
  for (const one of [ann, bo]) expect(rows(one)).toEqual([["a!bcdefghi"], [], [], ["", "", ""]]);
  ann.editor.commands.splitCell();
  both();
  for (const one of [ann, bo]) expect(rows(one)).toEqual([["a!", "b", "c"], ["d", "e", "f"], ["g", "h", "i"], ["", "", ""]]);
});

test("what goes over the seam of two cells that are merged costs no letter of others", () => {
  const merged = (): ReturnType<typeof apart> & { readonly line: (one: One, number: number, offset: number) => void } => {
    const both = apart();
    merge(both.ann, 0, 1);
    both.both();
    const line = ({ editor }: One, number: number, offset: number): void => void editor.commands.setTextSelection((cells(editor.state.doc)[0]?.at ?? 0) + 2 + 3 * number + offset);
    return { ...both, line };
  };
  for (const [act, expected] of [
    [({ editor }: One) => editor.chain().selectParentNode().setTextSelection({ from: 4, to: 8 }).toggleBulletList().run(), "a/bnew 2x1"],
    [({ editor }: One) => press(editor, "Backspace"), "ab/new 2x1"],
    [({ editor }: One) => editor.chain().setTextSelection({ from: 4, to: 8 }).deleteSelection().run(), "new 2x1"],
  ] as const) {
    const { ann, bo, both, line } = merged();
    line(ann, 1, 0);
    line(bo, 1, 1);
    type(bo, "ne");
    act(ann);
    both();
    type(bo, "w");
    both();
    for (const one of [ann, bo]) {
      const cell = cells(one.editor.state.doc)[0]?.node;
      const lines: string[] = [];
      cell?.descendants((node) => void (node.isTextblock && lines.push(node.textContent)));
      expect(`${lines.join("/")} ${cell?.attrs["colspan"]}x${cell?.attrs["rowspan"]}`).toBe(expected);
    }
  }
});

test("a table that moves is the same table, with what is written in it meanwhile", () => {
  const [ann, bo] = three();
  const { editor } = ann;
  const end = editor.state.doc.content.size;
  editor.view.dispatch(editor.state.tr.insert(end, [editor.schema.nodes["paragraph"]!.create(null, editor.schema.text("behind")), editor.schema.nodes["paragraph"]!.create()]));
  meet(ann, bo);
  write(bo, 4, "new");
  const { doc } = editor.state;
  const at = doc.children.findIndex(({ type }) => type.name === "table");
  const from = doc.children.slice(0, at).reduce((sum, node) => sum + node.nodeSize, 0);
  const table = doc.child(at);
  for (const up of [false, true]) {
    const now = editor.state.doc;
    const place = now.children.findIndex(({ type }) => type.name === "table");
    const start = now.children.slice(0, place).reduce((sum, node) => sum + node.nodeSize, 0);
    const node = now.child(place);
    const target = up ? from : start + node.nodeSize + now.child(place + 1).nodeSize;
    const tr = editor.state.tr.insert(target, node);
    editor.view.dispatch(tr.delete(tr.mapping.map(start, 1), tr.mapping.map(start, 1) + node.nodeSize));
    expect(editor.state.doc.child(up ? at : at + 1).type.name).toBe("table");
  }
  expect(table.attrs["table"]).toBe(editor.state.doc.child(at).attrs["table"]);
  meet(ann, bo);
  expect(rows(ann).flat().join("")).toMatch(/^abcd(newe|enew)fghi$/);
  for (const [act, place] of [["undo", at + 1], ["undo", at], ["redo", at + 1], ["redo", at]] as const) {
    ann[act]();
    meet(ann, bo);
    expect(editor.state.doc.children.flatMap(({ type }, child) => (type.name === "table" ? [child] : []))).toEqual([place]);
    expect(rows(ann).flat().join("")).toMatch(/^abcd(newe|enew)fghi$/);
  }
});

test("a table that is pasted is one of its own", () => {
  const [ann, bo] = three();
  const { editor } = ann;
  const table = editor.state.doc.firstChild;
  expect(table?.type.name).toBe("table");
  editor.view.dispatch(editor.state.tr.insert(editor.state.doc.content.size, table!));
  write(ann, 9, "x");
  meet(ann, bo);
  const ids = editor.state.doc.children.filter(({ type }) => type.name === "table").map(({ attrs }) => attrs["table"] as unknown);
  expect(new Set(ids).size).toBe(2);
  expect(rows(ann).map((row) => row.join("")).join()).toBe("abc,def,ghi,xabc,def,ghi");
});

test("Enter and lists in a cell are those of a text", () => {
  const [ann, bo] = three();
  write(ann, 4, "one");
  press(ann.editor, "Enter");
  ann.editor.commands.toggleBulletList();
  write(bo, 4, "two");
  meet(ann, bo);
  expect(rows(ann)[1]?.[1]).toMatch(/one/);
  expect(rows(ann)[1]?.[1]).toMatch(/two/);
});

test("rows and columns that are moved write their order and nothing else, and keep what others write in them", () => {
  const [ann, bo] = three();
  const inside = (cells(ann.editor.state.doc)[4]?.at ?? 0) + 2;
  let text = 0;
  ann.doc.on("afterTransaction", ({ changed }: { changed: Map<unknown, Set<string | null>> }) => {
    for (const keys of changed.values()) if (keys.has(null)) text += 1;
  });
  moveRow(inside, 1)(ann.editor.state, ann.editor.view.dispatch);
  moveColumn((cells(ann.editor.state.doc)[0]?.at ?? 0) + 2, 1)(ann.editor.state, ann.editor.view.dispatch);
  expect(text).toBe(0);
  write(bo, 3, "theirs ");
  meet(ann, bo);
  expect(rows(ann)).toEqual([["b", "a", "c"], ["h", "g", "i"], ["e", "theirs d", "f"]]);
});

/** The words of the cell with the caret, with `|` where that is. */
function caretIn({ editor }: One): string {
  const { $head, empty } = editor.state.selection;
  const { textContent } = $head.parent;
  return `${empty ? "" : "selected "}${textContent.slice(0, $head.parentOffset)}|${textContent.slice($head.parentOffset)}`;
}

test.each([["row", moveRow], ["column", moveColumn]] as const)("a %s moves also if the caret is somewhere else, and then it is in the cell of the handle", (_kind, move) => {
  const [ann, bo] = three();
  ann.editor.commands.insertContentAt(ann.editor.state.doc.content.size, "<p>behind</p>");
  ann.editor.commands.setTextSelection(ann.editor.state.doc.content.size - 1);
  const before = rows(ann);
  move((cells(ann.editor.state.doc)[4]?.at ?? 0) + 2, 1)(ann.editor.state, ann.editor.view.dispatch);
  expect(rows(ann)).not.toEqual(before);
  expect(caretIn(ann)).toBe("|e");
  meet(ann, bo);
});

test.each([["row", moveRow], ["column", moveColumn]] as const)("the caret stays in its cell where its %s is moved", (kind, move) => {
  for (const by of [-1, 1] as const) {
    for (let cell = 0; cell < 9; cell++) {
      const [ann, bo] = three();
      write(ann, cell, "wo");
      const letter = "abcdefghi"[cell] ?? "";
      const isMoved = move(ann.editor.state.selection.head, by)(ann.editor.state, ann.editor.view.dispatch);
      expect(isMoved).toBe([0, 1, 2].includes((kind === "row" ? Math.floor(cell / 3) : cell % 3) + by));
      expect(caretIn(ann)).toBe(`wo|${letter}`);
      write(bo, (cell + 4) % 9, "more");
      meet(ann, bo);
      expect(caretIn(ann)).toBe(`wo|${letter}`);
    }
  }
});

test.each([["row", moveRow], ["column", moveColumn]] as const)("selected cells stay selected where their %s is moved", (kind, move) => {
  const [ann] = three();
  const at = (cell: number): number => cells(ann.editor.state.doc)[cell]?.at ?? 0;
  ann.editor.view.dispatch(ann.editor.state.tr.setSelection(CellSelection.create(ann.editor.state.doc, at(4), at(kind === "row" ? 5 : 7))));
  move(at(4) + 2, -1)(ann.editor.state, ann.editor.view.dispatch);
  const { selection } = ann.editor.state;
  const words: string[] = [];
  if (selection instanceof CellSelection) selection.forEachCell((cell) => void words.push(cell.textContent));
  expect(words).toEqual(kind === "row" ? ["e", "f"] : ["e", "h"]);
});
