// @vitest-environment happy-dom
// The plain text editor on shared data: what is shown and what is shared are the same letters at the same places.
import { cursorCharLeft, cursorCharRight, cursorLineEnd, deleteCharBackward, deleteCharForward, insertNewlineAndIndent } from "@codemirror/commands";
import type { EditorView } from "@codemirror/view";
import { afterEach, expect, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { seeded } from "../testing/random";
import { CONTENT } from "../documents/roots";
import { createPlainEditor } from "./editor";

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

function open(content: string): { readonly view: EditorView; readonly doc: Doc; readonly shared: () => string } {
  const doc = new Doc();
  doc.getText(CONTENT).insert(0, content);
  const awareness = new Awareness(doc);
  const parent = document.createElement("div");
  document.body.append(parent);
  const editor = createPlainEditor({ parent, doc, awareness, words: { label: "Text", placeholder: "Write", nameless: "Guest", find: {} } });
  editor.setEditable(true);
  opened.push(() => {
    editor.dispose();
    awareness.destroy();
    parent.remove();
  });
  return { view: editor.view, doc, shared: () => doc.getText(CONTENT).toJSON() };
}

const type = (view: EditorView, words: string): void => view.dispatch(view.state.replaceSelection(words), { userEvent: "input.type" });
const endOf = (view: EditorView, line: number): void => view.dispatch({ selection: { anchor: view.state.doc.line(line).to } });

test("what is written after lines that end with a return and a feed is shared where it was written", () => {
  const { view, shared } = open("one\r\ntwo\r\nthree\r\nfour");
  expect(view.state.doc.lines).toBe(4);
  endOf(view, 4);
  type(view, "XYZ");
  expect(shared()).toBe("one\r\ntwo\r\nthree\r\nfourXYZ");
  // At the end of a line the caret stands before the return.
  endOf(view, 2);
  type(view, "!");
  expect(shared()).toBe("one\r\ntwo!\r\nthree\r\nfourXYZ");
  // Enter takes white space behind the caret with it, a return too.
  insertNewlineAndIndent(view);
  type(view, "new");
  expect(shared()).toBe("one\r\ntwo!\nnew\nthree\r\nfourXYZ");
  expect(view.contentDOM.textContent).not.toMatch(/[\r\u240d]/);
});

test("the end of such a line is one place for the caret, and is deleted whole", () => {
  const { view, shared } = open("ab\r\ncd");
  view.dispatch({ selection: { anchor: 2 } });
  cursorCharRight(view);
  expect(view.state.selection.main.head).toBe(4);
  cursorCharLeft(view);
  expect(view.state.selection.main.head).toBe(2);
  cursorLineEnd(view);
  expect(view.state.selection.main.head).toBe(2);
  deleteCharForward(view);
  expect(shared()).toBe("abcd");
  const other = open("ab\r\ncd");
  other.view.dispatch({ selection: { anchor: 4 } });
  deleteCharBackward(other.view);
  expect(other.shared()).toBe("abcd");
});

test("a return that stands alone ends no line, and is seen", () => {
  const { view, shared } = open("old\rmac\nend");
  expect(view.state.doc.lines).toBe(2);
  expect(view.contentDOM.textContent).toContain("\u240d");
  endOf(view, 2);
  type(view, "!");
  expect(shared()).toBe("old\rmac\nend!");
});

test("random: letters and line ends of every kind, from both sides, are the same text on both", () => {
  const pieces = ["a", "b c", "\n", "\r\n", "\r", "文", "\r\n\r\n"];
  for (let round = 0; round < 20; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    const random = seeded(seed);
    const { view, doc, shared } = open("x\r\ny\rz\r\n");
    const far = new Doc();
    const send = (update: Uint8Array): void => applyUpdate(far, update, "far");
    doc.on("update", send);
    far.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "far") applyUpdate(doc, update, "near");
    });
    applyUpdate(far, encodeStateAsUpdate(doc), "far");
    for (let step = 0; step < 60; step++) {
      const piece = pieces[random(pieces.length)] ?? "";
      const text = far.getText(CONTENT);
      if (random(2) === 0) {
        const at = random(text.length + 1);
        if (random(3) === 0) text.delete(at, Math.min(random(3), text.length - at));
        else text.insert(at, piece);
      } else {
        const anchor = random(view.state.doc.length + 1);
        view.dispatch({ selection: { anchor, head: Math.min(view.state.doc.length, anchor + random(4)) } });
        const { main } = view.state.selection;
        const [before, after] = [view.state.doc.sliceString(0, main.from), view.state.doc.sliceString(main.to)];
        type(view, piece.replace(/\r/g, ""));
        expect(shared(), `seed ${seed}, step ${step}`).toBe(before + piece.replace(/\r/g, "") + after);
      }
      expect(view.state.doc.toString(), `seed ${seed}, step ${step}`).toBe(shared());
      expect(far.getText(CONTENT).toJSON(), `seed ${seed}, step ${step}`).toBe(shared());
    }
    for (const close of opened.splice(0)) close();
  }
});
