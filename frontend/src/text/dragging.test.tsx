// @vitest-environment happy-dom
// What is dragged within a text while others write in it.
import type { Editor } from "@tiptap/core";
import { TextSelection } from "@tiptap/pm/state";
import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { BlockHandle } from "./block-handle";
import { createEditor } from "./editor";
import { moveSelected } from "./move-blocks";

/** Each block is ten high, from one below its top to one above its end. */
const rectOf = (element: Element): DOMRect => {
  let block: Element | null = element;
  while (block?.parentElement != null && !block.parentElement.matches(".prose")) block = block.parentElement;
  const at = block?.parentElement == null ? 0 : [...block.parentElement.children].indexOf(block);
  const item = element.matches("li") ? [...(element.parentElement?.children ?? [])].indexOf(element) : 0;
  return new DOMRect(0, at * 10 + 1 + item * 7, 100, element.matches("li") ? 6 : 8);
};

let measured = 0;
beforeAll(() => {
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockImplementation(function (this: Element) {
    measured += 1;
    return rectOf(this);
  });
});
beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));

const opened: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

function open(doc: Doc): Editor {
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  element.className = "sheet";
  document.body.append(element);
  const editor = createEditor({ element, doc, awareness, editable: true, words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  opened.push(() => {
    editor.destroy();
    awareness.destroy();
    element.remove();
  });
  return editor;
}

/** Two in one text, every change arriving at once; Ann's handle stands at the second block. */
async function together(content: string): Promise<{ readonly ann: Editor; readonly bo: Editor; readonly handle: () => HTMLElement }> {
  const [annDoc, boDoc] = [new Doc(), new Doc()];
  const [ann, bo] = [open(annDoc), open(boDoc)];
  for (const [from, to] of [[annDoc, boDoc], [boDoc, annDoc]] as const) {
    applyUpdate(to, encodeStateAsUpdate(from), "relay");
    from.on("update", (update: Uint8Array, origin: unknown) => void (origin !== "relay" && applyUpdate(to, update, "relay")));
  }
  ann.commands.setContent(content);
  const place = document.createElement("div");
  document.body.append(place);
  const root = createRoot(place);
  await act(() => Promise.resolve(root.render(<BlockHandle editor={ann} at={15} />)));
  opened.push(async () => {
    await act(() => Promise.resolve(root.unmount()));
    place.remove();
  });
  return { ann, bo, handle: () => place.querySelector<HTMLElement>(".block-handle") ?? expect.fail("no handle") };
}

function placeOf({ state }: Editor, words: string): number {
  let found = -1;
  state.doc.descendants((node, place) => {
    if (node.isTextblock && node.textContent.startsWith(words)) found = place + 1;
  });
  return found;
}

function into(editor: Editor, words: string): void {
  editor.commands.setTextSelection(placeOf(editor, words) + words.length);
}

const wordsOf = (editor: Editor): { readonly from: number; readonly to: number } => ({ from: placeOf(editor, "the block"), to: placeOf(editor, "the block") + "the block".length });

/** As the browser tells it. */
function tell(target: EventTarget, type: string, words = ""): void {
  const data = new Map([["text/plain", words]]);
  const dataTransfer = { types: [...data.keys()], files: [], getData: (kind: string) => data.get(kind) ?? "", setData: (kind: string, value: string) => data.set(kind, value), clearData: () => data.clear(), setDragImage: () => undefined };
  target.dispatchEvent(Object.assign(new Event(type, { bubbles: true, cancelable: true }), { dataTransfer, clientX: 0, clientY: 0 }));
}

const drag = (handle: HTMLElement): Promise<void> => act(() => Promise.resolve(tell(handle, "dragstart")));

function drop({ view, state }: Editor, at: number, words = ""): void {
  vi.spyOn(view, "posAtCoords").mockReturnValue({ pos: Math.min(at, state.doc.content.size), inside: -1 });
  tell(view.dom, "drop", words);
}

const html = (editor: Editor): string => editor.getHTML().replace(/ (style|class|data-[\w-]+|rowspan|colspan|start|id)="[^"]*"/g, "");
const outline = ({ state }: Editor): readonly string[] => {
  const all: string[] = [];
  state.doc.descendants((node, _place, parent) => void (node.isTextblock && all.push(`${parent?.type.name === "doc" ? "" : `${parent?.type.name}/`}${node.type.name} ${node.textContent}`)));
  return all;
};

const THREE = "<p>above</p><p>the block</p><p>between</p><p>last</p>";

const MEANWHILE: readonly (readonly [string, (bo: Editor) => void, readonly string[]])[] = [
  ["writes in it", (bo) => bo.commands.insertContent(" hello"), ["paragraph above", "paragraph between", "paragraph last", "paragraph the block hello"]],
  ["makes it a heading", (bo) => bo.commands.setHeading({ level: 2 }), ["paragraph above", "paragraph between", "paragraph last", "heading the block"]],
  ["makes it a list", (bo) => bo.commands.toggleBulletList(), ["paragraph above", "paragraph between", "paragraph last", "listItem/paragraph the block"]],
  ["makes it code", (bo) => bo.commands.toggleCodeBlock(), ["paragraph above", "paragraph between", "paragraph last", "codeBlock the block"]],
  ["writes before it", (bo) => bo.commands.insertContentAt(0, "<p>first</p>"), ["paragraph first", "paragraph above", "paragraph between", "paragraph last", "paragraph the block"]],
  ["moves it and writes", (bo) => (moveSelected(bo, 1), bo.commands.insertContent("!")), ["paragraph above", "paragraph between", "paragraph the block!", "paragraph last"]],
  ["takes it away, and then more", (bo) => (bo.commands.deleteRange({ from: wordsOf(bo).from - 1, to: wordsOf(bo).to + 1 }), bo.commands.insertContentAt(1, "!")), ["paragraph !above", "paragraph between", "paragraph last"]],
  ["takes it away", (bo) => bo.commands.deleteRange({ from: wordsOf(bo).from - 1, to: wordsOf(bo).to + 1 }), ["paragraph above", "paragraph between", "paragraph last"]],
];

test.each(MEANWHILE)("a block dragged by its handle while somebody %s is what it has become", async (_what, meanwhile, expected) => {
  const { ann, bo, handle } = await together(THREE);
  into(bo, "the block");
  await drag(handle());
  await act(() => Promise.resolve(meanwhile(bo)));
  drop(ann, Infinity, "the block");
  for (const one of [ann, bo]) expect(outline(one)).toEqual(expected);
});

test("an item of a list goes as one, where somebody takes it out of the list while it is dragged", async () => {
  const { ann, bo, handle } = await together("<p>above</p><ul><li><p>the block</p></li><li><p>between</p></li></ul><p>last</p>");
  into(bo, "the block");
  await drag(handle());
  await act(() => Promise.resolve(bo.commands.liftListItem("listItem")));
  drop(ann, Infinity);
  for (const one of [ann, bo]) expect(outline(one)).toEqual(["paragraph above", "listItem/paragraph between", "paragraph last", "paragraph the block"]);
});

test("a quote of several paragraphs goes as one, with what somebody writes in it while it is dragged", async () => {
  const { ann, bo, handle } = await together("<p>above</p><blockquote><p>the block</p><p>more of it</p></blockquote><p>last</p>");
  into(bo, "more of it");
  await drag(handle());
  await act(() => Promise.resolve(bo.commands.insertContent("!")));
  drop(ann, Infinity);
  for (const one of [ann, bo]) expect(outline(one)).toEqual(["paragraph above", "paragraph last", "blockquote/paragraph the block", "blockquote/paragraph more of it!"]);
});

test("selected words dragged while somebody writes in them go with what was written", async () => {
  const { ann, bo } = await together(THREE);
  ann.commands.setTextSelection(wordsOf(ann));
  tell(ann.view.dom.querySelector("p") ?? ann.view.dom, "dragstart");
  into(bo, "the ");
  bo.commands.insertContent("new ");
  drop(ann, ann.state.doc.content.size - 1);
  for (const one of [ann, bo]) expect(html(one)).toBe("<p>above</p><p></p><p>between</p><p>lastthe new block</p>");
});

test("selected words that somebody takes away while they are dragged come nowhere", async () => {
  const { ann, bo } = await together(THREE);
  ann.commands.setTextSelection(wordsOf(ann));
  tell(ann.view.dom.querySelector("p") ?? ann.view.dom, "dragstart");
  bo.commands.deleteRange(wordsOf(bo));
  drop(ann, ann.state.doc.content.size - 1, "the block");
  for (const one of [ann, bo]) expect(html(one)).toBe("<p>above</p><p></p><p>between</p><p>last</p>");
});

test("after a drag that was given up, what comes from outside is what is dropped, and nothing is taken away", async () => {
  const { ann, bo, handle } = await together(THREE);
  await drag(handle());
  // Its element is another one by the time the drag ends.
  into(bo, "the block");
  await act(() => Promise.resolve(bo.commands.setHeading({ level: 2 })));
  await act(() => Promise.resolve(tell(handle(), "dragend")));
  ann.view.dispatch(ann.state.tr.setSelection(TextSelection.create(ann.state.doc, wordsOf(ann).from, wordsOf(ann).to)));
  drop(ann, ann.state.doc.content.size - 1, "from outside");
  for (const one of [ann, bo]) expect(html(one)).toBe("<p>above</p><h3>the block</h3><p>between</p><p>lastfrom outside</p>");
});

test("a drag of words of which nobody told the end is over when the pointer moves", async () => {
  const { ann } = await together(THREE);
  ann.commands.setTextSelection(wordsOf(ann));
  tell(ann.view.dom.querySelector("p") ?? ann.view.dom, "dragstart");
  document.dispatchEvent(new Event("pointermove"));
  drop(ann, ann.state.doc.content.size - 1, "!");
  expect(html(ann)).toBe("<p>above</p><p>the block</p><p>between</p><p>last!</p>");
});

test("where the pointer is, is found by measuring some of the blocks", async () => {
  const words = Array.from({ length: 1000 }, (_, at) => `line ${at}`);
  const { ann, handle } = await together(words.map((line) => `<p>${line}</p>`).join(""));
  const moved: string[] = [];
  for (const line of [0, 1, 499, 500, 998, 999]) {
    measured = 0;
    await act(() => Promise.resolve(ann.view.dom.dispatchEvent(Object.assign(new Event("pointermove", { bubbles: true }), { clientY: line * 10 + 5, buttons: 0, pointerType: "mouse" }))));
    expect(measured).toBeLessThan(50);
    await drag(handle());
    moved.push(ann.view.dragging?.slice.content.firstChild?.textContent ?? "");
    await act(() => Promise.resolve(tell(handle(), "dragend")));
  }
  expect(moved).toEqual([0, 1, 499, 500, 998, 999].map((line) => words[line]));
});
