// @vitest-environment happy-dom
// Two people and a server between them, and the editor's own commands: which words die, and who is told.
import type { Editor } from "@tiptap/core";
import { afterEach, expect, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector, decodeStateVector } from "yjs";
import { trackUnacknowledged, type Unacknowledged } from "../sync/unacknowledged";
import { TABS } from "../sync/tabs";
import { createEditor } from "./editor";
import { offerLostWords, type LostWords } from "./lost-words";
import { plainText } from "./plain-text";

interface Person {
  readonly doc: Doc;
  readonly editor: Editor;
  readonly offered: LostWords[];
  readonly acknowledged: Unacknowledged;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function person(): Person {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  document.body.append(element);
  const acknowledged = trackUnacknowledged(doc);
  const offered: LostWords[] = [];
  const editor = createEditor({ element, doc, awareness, editable: true, words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  ends.push(offerLostWords({ doc, isUnacknowledged: acknowledged.has, offer: (lost) => offered.push(lost) }), () => {
    editor.destroy();
    awareness.destroy();
    acknowledged.dispose();
    element.remove();
  });
  return { doc, editor, offered, acknowledged };
}

/** Comes back to the server, as the provider does: says what is new here, hears what is new there, and all is durable. */
function meet(server: Doc, { doc, acknowledged }: Person, origin: unknown = "server"): void {
  acknowledged.known(decodeStateVector(encodeStateVector(server)));
  const [there, here] = [encodeStateAsUpdate(server, encodeStateVector(doc)), encodeStateAsUpdate(doc, encodeStateVector(server))];
  applyUpdate(server, here);
  applyUpdate(doc, there, origin);
  acknowledged.saved();
}

/** Ann and Bo with the same list of two items. */
function listOfTwo(): { readonly server: Doc; readonly ann: Person; readonly bo: Person } {
  const [server, ann, bo] = [new Doc(), person(), person()];
  ann.editor.commands.setContent("<ul><li><p>one</p></li><li><p>two</p></li></ul>");
  meet(server, ann);
  meet(server, bo);
  return { server, ann, bo };
}

const write = ({ editor }: Person, behind: string, words: string): void => {
  let at = 0;
  editor.state.doc.descendants((node, place) => {
    if (node.isText && node.text?.endsWith(behind)) at = place + node.nodeSize;
  });
  editor.commands.insertContentAt(at, words);
};
const into = ({ editor }: Person, words: string): void => {
  editor.state.doc.descendants((node, place) => {
    if (node.isText && node.text === words) editor.commands.setTextSelection(place + 1);
  });
};

const COMMANDS: readonly (readonly [string, (editor: Editor) => boolean])[] = [
  ["sinkListItem", (editor) => editor.commands.sinkListItem("listItem")],
  ["toggleBulletList", (editor) => editor.commands.toggleBulletList()],
  ["toggleOrderedList", (editor) => editor.commands.toggleOrderedList()],
  ["deleting everything", (editor) => editor.chain().selectAll().deleteSelection().run()],
];

for (const [name, command] of COMMANDS) {
  test(`words written offline in a block that a colleague replaced meanwhile are there, or are offered once: ${name}`, () => {
    const { server, ann, bo } = listOfTwo();
    write(bo, "two", " and a sentence from the train");
    into(ann, "two");
    expect(command(ann.editor)).toBe(true);
    meet(server, ann);
    meet(server, bo);
    const there = plainText(bo.doc).includes("and a sentence from the train");
    expect(bo.offered.map(({ text }) => text)).toEqual(there ? [] : [" and a sentence from the train"]);
    expect(ann.offered).toEqual([]);
    for (const { putBack } of bo.offered) {
      putBack();
      putBack();
    }
    meet(server, bo);
    meet(server, ann);
    expect(plainText(ann.doc)).toBe(plainText(bo.doc));
    expect(plainText(ann.doc).match(/and a sentence from the train/g)).toHaveLength(1);
    // Coming back once more offers nothing again.
    meet(server, bo);
    expect(bo.offered.length).toBeLessThanOrEqual(1);
  });
}

test("at least one of the commands does take words away: else there would be nothing to see to", () => {
  const { server, ann, bo } = listOfTwo();
  write(bo, "two", " unseen");
  into(ann, "two");
  ann.editor.commands.sinkListItem("listItem");
  meet(server, ann);
  meet(server, bo);
  expect(bo.offered).toHaveLength(1);
});

test("words that were seen are nobody's loss: known to the server, taken away letter by letter, or deleted in another tab", () => {
  const { server, ann, bo } = listOfTwo();
  write(bo, "two", " known");
  meet(server, bo);
  meet(server, ann);
  into(ann, "two known");
  ann.editor.commands.sinkListItem("listItem");
  meet(server, ann);
  meet(server, bo);
  expect(bo.offered).toEqual([]);

  write(bo, "one", " elsewhere");
  const tab = new Doc();
  applyUpdate(tab, encodeStateAsUpdate(bo.doc));
  tab.getXmlFragment("default").delete(0, 1);
  applyUpdate(bo.doc, encodeStateAsUpdate(tab), TABS);
  expect(plainText(bo.doc)).not.toContain("elsewhere");
  expect(bo.offered).toEqual([]);
});

test("what its author took away before is not offered with the rest", () => {
  const { server, ann, bo } = listOfTwo();
  write(bo, "two", " wrong right");
  into(bo, "two wrong right");
  const { from } = bo.editor.state.selection;
  bo.editor.commands.deleteRange({ from: from + 2, to: from + 8 });
  into(ann, "two");
  ann.editor.commands.sinkListItem("listItem");
  meet(server, ann);
  meet(server, bo);
  expect(bo.offered.map(({ text }) => text)).toEqual([" right"]);
});

test("a cell that holds nothing is shown filled, and the data is left alone", () => {
  const { doc, editor } = person();
  editor.commands.insertTable({ rows: 2, cols: 2, withHeaderRow: false });
  // Two people emptied it at once, each leaving what the other then took.
  const cell = editor.state.doc.child(0).child(0).child(0);
  expect(cell.type.name).toBe("tableCell");
  const table = doc.getXmlFragment("default").get(0) as unknown as { get: (at: number) => { get: (at: number) => { delete: (at: number, length: number) => void } } };
  table.get(0).get(0).delete(0, 1);
  const before = encodeStateAsUpdate(doc);
  const again = new Doc();
  applyUpdate(again, before);
  expect(editor.state.doc.child(0).child(0).childCount).toBe(2);
  expect(JSON.stringify(editor.getJSON()).match(/"tableCell"/g)).toHaveLength(4);
  expect(encodeStateAsUpdate(doc)).toEqual(before);
});
