// @vitest-environment happy-dom
// Tables: rows and columns by their ids, cells that are merged and parted, tables that move, and what others write in them
// meanwhile.
import type { Node } from "@tiptap/pm/model";
import { CellSelection } from "@tiptap/pm/tables";
import { afterEach, expect, test } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from "yjs";
import { moveColumn, moveRow } from "../move-rows";
import { plainJson } from "./json";
import { person, press, REMOTE } from "./testing/person";

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

test("cells are merged and parted, and words written in one meanwhile part them again", () => {
  const [ann, bo] = three();
  const [first, second] = cells(ann.editor.state.doc);
  ann.editor.view.dispatch(ann.editor.state.tr.setSelection(CellSelection.create(ann.editor.state.doc, first?.at ?? 0, second?.at ?? 0)));
  ann.editor.commands.mergeCells();
  expect(rows(ann)[0]).toEqual(["ab", "c"]);
  const merged = JSON.stringify(plainJson(ann.editor.state.doc));
  write(bo, 1, "new");
  meet(ann, bo);
  expect(rows(ann)[0]).toEqual(["ab", "new", "c"]);
  bo.undo();
  meet(ann, bo);
  expect(JSON.stringify(plainJson(ann.editor.state.doc))).toBe(merged);
  ann.editor.commands.setTextSelection(4);
  ann.editor.commands.splitCell();
  meet(ann, bo);
  expect(rows(ann)[0]).toHaveLength(3);
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
