// @vitest-environment happy-dom
// What is written into a tree without a server: in the tree, and nothing of it is gone for having been opened.
import { afterEach, expect, test } from "vitest";
import type { Editor } from "@tiptap/core";
import { Doc, encodeStateAsUpdate, XmlElement, XmlText } from "yjs";
import { createOldEditor } from "./old-editor";

const open: Editor[] = [];
afterEach(() => open.splice(0).forEach((editor) => editor.destroy()));

function editorOf(doc: Doc): Editor {
  const editor = createOldEditor({ element: document.createElement("div"), doc, label: () => "Text", task: (text) => text });
  open.push(editor);
  return editor;
}

const element = (name: string, attributes: Readonly<Record<string, unknown>>, ...children: (XmlElement | XmlText)[]): XmlElement => {
  const made = new XmlElement(name);
  made.insert(0, children);
  // Typed as strings, and kept as what they are.
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value as string);
  return made;
};

const markup = (doc: Doc): string => doc.getXmlFragment("default").toJSON();

/** One of everything that earlier versions wrote. */
function minutes(): Doc {
  const doc = new Doc();
  const text = (words: string): XmlElement => element("paragraph", {}, new XmlText(words));
  const marked = new XmlText();
  marked.applyDelta([
    { insert: "bold", attributes: { bold: {} } },
    { insert: " and " },
    { insert: "link", attributes: { link: { href: "https://example.org/", title: null } } },
    { insert: "code", attributes: { code: {} } },
    { insert: "struck", attributes: { strike: {}, underline: {}, italic: {} } },
  ]);
  doc.getXmlFragment("default").insert(0, [
    element("heading", { level: 2 }, new XmlText("Minutes")),
    element("paragraph", {}, marked),
    element("blockquote", {}, text("quoted")),
    element("bulletList", {}, element("listItem", {}, text("one"), element("orderedList", { start: 3 }, element("listItem", {}, text("two"))))),
    element("taskList", {}, element("taskItem", { checked: true }, text("done"))),
    element("codeBlock", { language: "rust" }, new XmlText("fn main() {}")),
    element("horizontalRule", {}),
    element(
      "table",
      {},
      element("tableRow", {}, element("tableHeader", { colspan: 1, rowspan: 1, colwidth: [120] }, text("a")), element("tableHeader", { colspan: 1, rowspan: 1 }, text("b"))),
      element("tableRow", {}, element("tableCell", { colspan: 2, rowspan: 1 }, text("both"))),
    ),
    element("paragraph", {}, element("image", { src: "/p", alt: "loom" }), new XmlText(" seen by "), element("mention", { id: "u", label: "Ann" }), element("hardBreak", {}), new XmlText("end")),
  ]);
  return doc;
}

test("to open a text of an earlier version changes nothing of it", () => {
  const doc = minutes();
  const before = encodeStateAsUpdate(doc);
  const editor = editorOf(doc);
  expect(editor.getText()).toContain("quoted");
  for (const words of ["Minutes", "struck", "two", "done", "fn main() {}", "both", "end"]) expect(editor.getText()).toContain(words);
  expect(encodeStateAsUpdate(doc)).toEqual(before);
});

test("what is written is in the tree, and undone there", () => {
  const doc = minutes();
  const editor = editorOf(doc);
  editor.commands.insertContentAt(1, "Our ");
  expect(markup(doc)).toContain("Our Minutes");
  expect(doc.share.has("body")).toBe(false);
  editor.commands.undo();
  expect(markup(doc)).not.toContain("Our");
});
