// @vitest-environment happy-dom
// Blocks that are moved while others write in them.
import type { Editor } from "@tiptap/core";
import { TextSelection } from "@tiptap/pm/state";
import { afterEach, describe, expect, test } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate, Map as YMap } from "yjs";
import { blocksAt, moveBlocks } from "../move-blocks";
import { line, person, press, REMOTE } from "./testing/person";

type Somebody = ReturnType<typeof person>;

const opened: { close: () => void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** Two in one text. What one does arrives at the other when it is said that it does. */
function apart(): { readonly ann: Somebody; readonly bo: Somebody; readonly toAnn: () => void; readonly toBo: () => void; readonly both: () => void } {
  const [ann, bo] = [person(new Doc()), person(new Doc())];
  opened.push(ann, bo);
  const [toBo, toAnn] = [line(ann, bo), line(bo, ann)];
  const both = (): void => {
    for (let times = 0; times < 3; times++) {
      toAnn();
      toBo();
    }
  };
  return { ann, bo, toAnn, toBo, both };
}

const type = ({ editor }: Somebody, text: string): void => {
  for (const letter of text) editor.view.dispatch(editor.state.tr.insertText(letter));
};

function into({ editor }: Somebody, words: string, offset = words.length): void {
  editor.state.doc.descendants((node, place) => {
    if (node.isTextblock && node.textContent.startsWith(words)) editor.view.dispatch(editor.state.tr.setSelection(TextSelection.create(editor.state.doc, place + 1 + offset)));
  });
}

function move({ editor }: Somebody, words: string, by: -1 | 1): void {
  into({ editor } as Somebody, words);
  const range = blocksAt(editor.state.selection.$from);
  const transaction = range === null ? null : moveBlocks(editor.state, range, by);
  if (transaction === null) throw new Error(`"${words}" cannot be moved`);
  editor.view.dispatch(transaction);
}

const lines = ({ editor }: { readonly editor: Editor }): readonly string[] => {
  const all: string[] = [];
  editor.state.doc.descendants((node) => void (node.isTextblock && all.push(node.textContent)));
  return all;
};

const LINES = ["above", "the line", "below"];

function started(): ReturnType<typeof apart> {
  const all = apart();
  LINES.forEach((line, at) => {
    if (at > 0) press(all.ann.editor, "Enter");
    type(all.ann, line);
  });
  all.both();
  expect(lines(all.bo)).toEqual(LINES);
  return all;
}

test.each([
  ["at its end", 8, "the lineXYZ"],
  ["at its start", 0, "XYZthe line"],
  ["within", 4, "the XYZline"],
])("what is written %s of a block while it is moved is in it", (_where, offset, expected) => {
  for (const by of [-1, 1] as const) {
    const { ann, bo, both } = started();
    into(bo, "the line", offset);
    move(ann, "the line", by);
    type(bo, "XYZ");
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(by < 0 ? [expected, "above", "below"] : ["above", "below", expected]);
  }
});

test("who goes on to write before they hear of it writes in the block, wherever it is by then", () => {
  const { ann, bo, both, toAnn, toBo } = started();
  into(bo, "the line");
  type(bo, "1");
  move(ann, "the line", -1);
  type(bo, "2");
  toBo();
  type(bo, "3");
  toAnn();
  type(bo, "4");
  toBo();
  type(bo, "5");
  move(ann, "the line", 1);
  type(bo, "6");
  both();
  type(bo, "7");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "the line1234567", "below"]);
});

test("the caret of somebody who writes in it goes along", () => {
  const { ann, bo, both } = started();
  into(bo, "the line", 3);
  move(ann, "the line", 1);
  both();
  type(bo, "!");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "below", "the! line"]);
});

test("a block that is split while it is moved is two", () => {
  const { ann, bo, both } = started();
  into(bo, "the line", 4);
  move(ann, "the line", 1);
  press(bo.editor, "Enter");
  type(bo, "new ");
  both();
  // Everything that stood behind it stays where it was put.
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "below", "the ", "new line"]);
});

test("undone, it is where it was, with what was written in it before it was heard of", () => {
  const { ann, bo, both, toBo } = started();
  into(bo, "the line");
  move(ann, "the line", -1);
  toBo();
  ann.undo();
  type(bo, "X");
  both();
  for (const one of [ann, bo]) expect(lines(one).join("\n").split("X")).toHaveLength(2);
  expect(lines(ann)).toEqual(lines(bo));
});

const WRITTEN: readonly (readonly [string, number, string])[] = [
  ["at its end", 8, "the lineXYZ"],
  ["at its start", 0, "XYZthe line"],
  ["within a word", 6, "the liXYZne"],
];

describe.each(WRITTEN)("what is written %s of a block that was moved", (_where, offset, expected) => {
  /** "above", "the line" and "below", with the line at a place. */
  const at = (place: number, line: string): readonly string[] => ["above", "below"].toSpliced(place, 0, line);

  test.each([-1, 1] as const)("stays in it where the move is undone, and done again", (by) => {
    const { ann, bo, both } = started();
    move(ann, "the line", by);
    both();
    into(bo, "the line", offset);
    type(bo, "XYZ");
    both();
    for (let times = 0; times < 3; times++) {
      ann.undo();
      both();
      for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1, expected));
      ann.redo();
      both();
      for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1 + by, expected));
    }
  });

  test.each([-1, 1] as const)("and had been carried over, stays in it where the move is undone", (by) => {
    const { ann, bo, both } = started();
    into(bo, "the line", offset);
    move(ann, "the line", by);
    type(bo, "XYZ");
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1 + by, expected));
    ann.undo();
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1, expected));
    ann.redo();
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1 + by, expected));
  });

  test.each([-1, 1] as const)("stays in it where it is heard of when the move is undone already", (by) => {
    const { ann, bo, both, toBo } = started();
    move(ann, "the line", by);
    toBo();
    into(bo, "the line", offset);
    ann.undo();
    type(bo, "XYZ");
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1, expected));
  });

  test("stays in it where it was not known of the move, which is undone already", () => {
    const { ann, bo, both } = started();
    into(bo, "the line", offset);
    move(ann, "the line", 1);
    ann.undo();
    type(bo, "XYZ");
    both();
    for (const one of [ann, bo]) expect(lines(one)).toEqual(at(1, expected));
  });

  test("stays in it where two moves are undone", () => {
    const { ann, bo, both } = started();
    move(ann, "the line", 1);
    both();
    into(bo, "the line", offset);
    type(bo, "XY");
    both();
    move(ann, "the", -1);
    move(ann, "the", -1);
    both();
    type(bo, "Z");
    both();
    for (const place of [1, 2, 1]) {
      ann.undo();
      both();
      for (const one of [ann, bo]) expect(lines(one)).toEqual(at(place, expected));
    }
    for (const place of [2, 1, 0]) {
      ann.redo();
      both();
      for (const one of [ann, bo]) expect(lines(one)).toEqual(at(place, expected));
    }
  });
});

test("what is written behind a word that goes with an undo of its own stays in the block", () => {
  const { ann, bo, both } = started();
  move(ann, "the line", 1);
  type(ann, " and");
  both();
  into(bo, "the line and");
  ann.undo();
  type(bo, " more");
  both();
  ann.undo();
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "the line more", "below"]);
});

test("a word that is composed behind one that came back, as its move was undone, cuts it not in two", () => {
  const { ann, bo, both } = apart();
  ann.editor.commands.setHorizontalRule();
  type(ann, "last");
  into(ann, "last", 0);
  type(ann, "first ");
  move(ann, "first", -1);
  ann.undo();
  both();
  into(bo, "first ");
  bo.compose(() => {
    type(bo, "X");
    const { head } = bo.editor.state.selection;
    bo.editor.view.dispatch(bo.editor.state.tr.insertText("XYZ ", head - 1, head));
  });
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["first XYZ last"]);
});

test.each([-1, 1] as const)("a word that is composed in a block goes along where the block is moved", (by) => {
  const { ann, bo, both, toAnn, toBo } = started();
  into(ann, "the line", 4);
  ann.compose(() => {
    type(ann, "ab");
    toBo();
    move(bo, "the ab", by);
    toAnn();
    const { head } = ann.editor.state.selection;
    expect(ann.editor.state.doc.textBetween(head - 2, head)).toBe("ab");
    ann.editor.view.dispatch(ann.editor.state.tr.insertText("X", head - 2, head));
    type(ann, "YZ");
  });
  type(ann, "!");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(by < 0 ? ["the XYZ!line", "above", "below"] : ["above", "below", "the XYZ!line"]);
});

test("a word that is composed goes along where its block is moved before its beginning is heard of", () => {
  const { ann, bo, both, toAnn } = started();
  into(ann, "the line", 4);
  ann.compose(() => {
    type(ann, "X");
    move(bo, "the line", 1);
    toAnn();
    type(ann, "Y");
    both();
    type(ann, "Z");
  });
  type(ann, "!");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "below", "the XYZ!line"]);
});

test.each([-1, 1] as const)("a caret stays in a table that somebody moves", (by) => {
  const { ann, bo, both, toAnn } = started();
  into(ann, "the line");
  ann.editor.commands.insertTable({ rows: 1, cols: 1, withHeaderRow: false });
  type(ann, "ce");
  both();
  move(bo, "ce", by);
  toAnn();
  type(ann, "ll");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(by > 0 ? ["above", "the line", "below", "cell"] : ["above", "cell", "the line", "below"]);
  bo.undo();
  toAnn();
  type(ann, "!");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["above", "the line", "cell!", "below"]);
});

test("a word that was begun in an empty text is whole where the line behind it is moved", () => {
  const { ann, bo, both, toBo } = apart();
  const cy = new Doc();
  // Of what begins at one place, what has the lower number comes first.
  [ann.doc.clientID, bo.doc.clientID, cy.clientID] = [1, 2, 3];
  type(bo, "wo");
  cy.getText("body").insert(0, "one");
  cy.getText("body").insertEmbed(0, new YMap([["type", "paragraph"]]));
  for (const { doc } of [ann, bo]) applyUpdate(doc, encodeStateAsUpdate(cy), REMOTE);
  ann.doc.getText("body").insertEmbed(0, new YMap([["type", "paragraph"]]));
  toBo();
  type(bo, "rd");
  expect(lines(bo)).toEqual(["word", "one"]);
  move(ann, "one", -1);
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(["one", "word"]);
});

test("words behind a rule wait as a line does that somebody composes in", () => {
  const { ann, bo, both, toAnn } = apart();
  ann.doc.getText("body").applyDelta([{ insert: new YMap([["type", "rule"]]) }, { insert: "behind it" }, { insert: new YMap([["type", "paragraph"]]) }, { insert: "next" }]);
  both();
  into(ann, "behind it");
  ann.compose(() => {
    into(bo, "behind it", 0);
    type(bo, "right ");
    toAnn();
    expect(lines(ann)).toEqual(["behind it", "next"]);
    type(ann, "!");
  });
  both();
  for (const one of [ann, bo]) expect(lines(one).filter((line) => line !== "")).toEqual(["right behind it!", "next"]);
});

/** From where to where in its line. */
const TAKEN: readonly (readonly [string, readonly [number, number], readonly string[]])[] = [
  ["what is there of it", [4, 6], ["above", "the XYZ!line", "below"]],
  ["its line", [0, 10], ["above", "XYZ!", "below"]],
];

test.each(TAKEN)("a word is whole where somebody took away, while it was composed, %s", (_what, [from, to], expected) => {
  const { ann, bo, both, toAnn, toBo } = started();
  into(ann, "the line", 4);
  ann.compose(() => {
    type(ann, "XY");
    toBo();
    into(bo, "the XYline", 0);
    const { head: start } = bo.editor.state.selection;
    bo.editor.view.dispatch(bo.editor.state.tr.delete(start + from, start + to));
    toAnn();
    type(ann, "Z");
    both();
    const { head } = ann.editor.state.selection;
    ann.binding.complete(head - 3, head);
  });
  type(ann, "!");
  both();
  for (const one of [ann, bo]) expect(lines(one)).toEqual(expected);
});
