// @vitest-environment happy-dom
// Finding and replacing beside an editor: what is found, and what the search leaves as it was.
import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc } from "yjs";
import { boundTo } from "./binding/plugin";
import { createEditor } from "./editor";
import { FindBar } from "./find-bar";

beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));
beforeEach(() => void document.body.replaceChildren());

const press = (key: string, more: KeyboardEventInit = {}): void => void document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));

function fill(input: HTMLInputElement | undefined, words: string): void {
  // As React hears it: past its own setter, which takes what it is told for known.
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, words);
  input?.dispatchEvent(new Event("input", { bubbles: true }));
}

test("a search finds, replaces and goes, and what was written before it can be taken back", async () => {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const [element, place] = [document.createElement("div"), document.createElement("div")];
  document.body.append(element, place);
  const editor = createEditor({ element, doc, awareness, editable: true, words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  editor.commands.insertContent("wool, linen and Wool");
  // A burst of writing is one step of undo; this one is over.
  boundTo(editor.view)?.undo.manager.stopCapturing();
  const { plugins } = editor.state;
  const root = createRoot(place);
  const close = vi.fn(() => root.render(null));
  await act(() => Promise.resolve(root.render(<FindBar editor={editor} editable onClose={close} />)));
  const [find, replace] = [...place.querySelectorAll("input")];
  const marked = (): string[] => [...element.querySelectorAll(".ProseMirror-search-match, .ProseMirror-active-search-match")].map(({ textContent }) => textContent);
  const selected = (): string => editor.state.doc.textBetween(editor.state.selection.from, editor.state.selection.to);

  await act(() => Promise.resolve(fill(find, "wool")));
  expect(marked()).toEqual(["wool", "Wool"]);
  expect([selected(), element.querySelectorAll(".ProseMirror-active-search-match").length]).toEqual(["wool", 1]);
  await act(() => Promise.resolve(press("F3")));
  expect([selected(), element.querySelector(".ProseMirror-active-search-match")?.textContent]).toEqual(["Wool", "Wool"]);

  await act(() => Promise.resolve(fill(replace, "silk")));
  expect(selected()).toBe("Wool");
  await act(() => Promise.resolve(replace?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }))));
  expect(editor.getText()).toBe("wool, linen and silk");
  expect([marked(), selected()]).toEqual([["wool"], "wool"]);

  await act(() => Promise.resolve(press("Escape")));
  expect(close).toHaveBeenCalled();
  expect(marked()).toEqual([]);
  // Nothing of the editor began anew.
  expect(editor.state.plugins).toBe(plugins);
  editor.commands.undo();
  expect(editor.getText()).toBe("wool, linen and Wool");
  editor.commands.undo();
  expect(editor.getText()).toBe("");

  await act(() => Promise.resolve(root.unmount()));
  editor.destroy();
  awareness.destroy();
});
