// @vitest-environment happy-dom
// The editor on shared data, without a browser around it: what undo touches, what opening writes, what is shown for
// data other clients wrote.
import type { Editor, JSONContent } from "@tiptap/core";
import { Plugin, PluginKey, TextSelection } from "@tiptap/pm/state";
import { Node } from "@tiptap/pm/model";
import { afterEach, expect, test, vi } from "vitest";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness";
import { Doc, Map as YMap, type Text as YText, applyUpdate, encodeStateAsUpdate } from "yjs";
import { seeded } from "../testing/random";
import { readText, writeText } from "./binding/binding";
import { placed, shared } from "./binding/carets";
import { boundTo } from "./binding/plugin";
import { textSchema } from "./blocks";
import { createEditor } from "./editor";
import { asCode, behindSelection, hasPictures } from "./insertions";
import { plainText } from "./plain-text";

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

const awarenessOf = new WeakMap<Editor, Awareness>();

function open(doc = new Doc()): { readonly editor: Editor; readonly doc: Doc } {
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  document.body.append(element);
  const editor = createEditor({
    element,
    doc,
    awareness,
    editable: true,
    words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }),
  });
  awarenessOf.set(editor, awareness);
  opened.push(() => {
    editor.destroy();
    awareness.destroy();
    element.remove();
  });
  return { editor, doc };
}

/** Two people in one document, every change arriving at once. */
function together(): { readonly ann: Editor; readonly bo: Editor; readonly annDoc: Doc; readonly boDoc: Doc } {
  const [annDoc, boDoc] = [new Doc(), new Doc()];
  const relay = (from: Doc, to: Doc): void => {
    from.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "relay") applyUpdate(to, update, "relay");
    });
  };
  relay(annDoc, boDoc);
  relay(boDoc, annDoc);
  return { ann: open(annDoc).editor, bo: open(boDoc).editor, annDoc, boDoc };
}

test("a text that begins with a list, a table or a quote opens with the caret before its first letter", () => {
  for (const [outer, ...inner] of [["taskList", "taskItem", "paragraph"], ["table", "tableRow", "tableCell", "paragraph"], ["blockquote", "paragraph"], ["paragraph"]]) {
    const doc = new Doc();
    const words: JSONContent = { type: "text", text: "wool" };
    const block = [outer, ...inner].reduceRight<JSONContent>((content, type) => ({ type: type!, content: [content] }), words);
    writeText(doc, Node.fromJSON(textSchema(), { type: "doc", content: [block] }));
    const warn = vi.spyOn(console, "warn");
    const before = encodeStateAsUpdate(doc);
    const { editor } = open(doc);
    expect(warn.mock.calls).toEqual([]);
    expect(editor.state.selection.$from.parent.textContent).toBe("wool");
    expect(editor.state.selection.$from.parentOffset).toBe(0);
    expect(encodeStateAsUpdate(doc)).toEqual(before);
    warn.mockRestore();
  }
});

test("the keys for both ends of a text lead into a table that stands there", () => {
  const doc = new Doc();
  const paragraph = (text: string): JSONContent => ({ type: "paragraph", content: [{ type: "text", text }] });
  const table = (words: string): JSONContent => ({ type: "table", content: [{ type: "tableRow", content: [{ type: "tableCell", content: [paragraph(words)] }] }] });
  writeText(doc, Node.fromJSON(textSchema(), { type: "doc", content: [table("first"), paragraph("between"), table("last")] }));
  const { editor } = open(doc);
  const press = (key: string, shiftKey = false): unknown =>
    editor.view.someProp("handleKeyDown", (handle) => handle(editor.view, new KeyboardEvent("keydown", { key, ctrlKey: true, shiftKey })));
  const at = (): [string, number] => [editor.state.selection.$head.parent.textContent, editor.state.selection.$head.parentOffset];
  expect(press("End")).toBe(true);
  expect(at()).toEqual(["last", 4]);
  press("Home");
  expect(at()).toEqual(["first", 0]);
  editor.commands.setTextSelection(16);
  press("End", true);
  expect([at(), editor.state.selection.$anchor.parent.textContent]).toEqual([["last", 4], "between"]);
});

const rule = (editor: Editor, text: string): void => {
  for (const key of text) {
    const { from, to } = editor.state.selection;
    if (!editor.view.someProp("handleTextInput", (handle) => handle(editor.view, from, to, key, () => editor.state.tr.insertText(key, from, to)))) {
      editor.view.dispatch(editor.state.tr.insertText(key, from, to));
    }
  }
};

test.each([
  ["heading", "a heading", (editor: Editor) => editor.commands.setHeading({ level: 1 })],
  ["codeBlock", "a code block", (editor: Editor) => editor.commands.setCodeBlock()],
  ["blockquote", "a quote", (editor: Editor) => editor.commands.setBlockquote()],
  ["bulletList", "a list", (editor: Editor) => editor.commands.toggleBulletList()],
  ["taskList", "a task list", (editor: Editor) => editor.commands.toggleTaskList()],
  ["table", "a table", (editor: Editor) => editor.commands.insertTable({ rows: 2, cols: 2 })],
] as const)("undoing the making of a %s leaves what a colleague wrote in it", (type, _what, make) => {
  const { ann, bo, annDoc, boDoc } = together();
  make(ann);
  expect(ann.getHTML()).toBe(bo.getHTML());
  let inside = -1;
  bo.state.doc.descendants((node, position) => {
    if (node.isTextblock && inside < 0) inside = position + 1;
  });
  expect(bo.state.doc.firstChild?.type.name).toBe(type);
  bo.commands.insertContentAt(inside, "a colleague's words");
  expect(plainText(annDoc)).toContain("a colleague's words");

  for (let step = 0; step < 5; step++) ann.commands.undo();
  expect(plainText(annDoc)).toContain("a colleague's words");
  expect(plainText(boDoc)).toBe(plainText(annDoc));
  expect(ann.getText()).toContain("a colleague's words");
});

test("undo takes back one's own words only", () => {
  const { ann, bo, annDoc } = together();
  ann.commands.insertContent("mine ");
  bo.commands.insertContentAt(bo.state.doc.content.size - 1, "theirs");
  ann.commands.undo();
  expect(plainText(annDoc)).toBe("theirs");
  ann.commands.redo();
  expect(plainText(annDoc)).toBe("mine theirs");
});

test("a plugin that comes or goes takes nothing away: one's writing can be taken back, and one's caret stays with the others", async () => {
  const { ann, bo, annDoc } = together();
  ann.view.focus();
  ann.commands.insertContent("mine");
  const presence = awarenessOf.get(ann)!;
  const caret = (): unknown => presence.getLocalState()?.["cursor"];
  const told = caret();
  expect(told).not.toBeNull();
  const carets: unknown[] = [];
  presence.on("change", () => carets.push(caret()));
  const key = new PluginKey("any");
  ann.registerPlugin(new Plugin({ key }));
  await Promise.resolve();
  bo.commands.insertContentAt(bo.state.doc.content.size - 1, " theirs");
  ann.unregisterPlugin(key);
  await Promise.resolve();
  expect(carets.every((one) => one !== null)).toBe(true);
  expect(caret()).toEqual(told);
  expect(ann.commands.undo()).toBe(true);
  expect(plainText(annDoc)).toBe(" theirs");
  ann.registerPlugin(new Plugin({ key }));
  expect(ann.commands.redo()).toBe(true);
  expect(plainText(annDoc)).toBe("mine theirs");
  expect(ann.getText()).toBe("mine theirs");
});

test("an editor that has ended hears of nothing, and is nowhere", async () => {
  const { ann, bo } = together();
  ann.view.focus();
  ann.commands.insertContent("mine");
  const { view } = ann;
  const presence = awarenessOf.get(ann)!;
  ann.registerPlugin(new Plugin({}));
  ann.destroy();
  await Promise.resolve();
  expect(presence.getLocalState()?.["cursor"]).toBeNull();
  expect(boundTo(view)).toBeNull();
  const take = vi.fn();
  vi.spyOn(view, "dispatch").mockImplementation(take);
  bo.commands.insertContent("theirs");
  expect(take).not.toHaveBeenCalled();
});

test("undo and redo lead to the change they are of, however often it is taken back and done again", () => {
  const { editor } = open();
  const write = (at: number, words: string): void => {
    boundTo(editor.view)?.undo.manager.stopCapturing();
    editor.commands.setTextSelection(at);
    editor.commands.insertContent(words);
  };
  editor.commands.setContent("<p>one</p><p>two</p><p>three</p>");
  write(4, " first");
  write(editor.state.doc.content.size - 1, " last");
  const between = 15;
  expect(editor.state.doc.resolve(between).parent.textContent).toBe("two");
  for (const what of ["undo", "undo", "redo", "redo", "undo", "undo", "redo", "redo", "undo", "undo"] as const) {
    // Where the caret was meanwhile is of no account.
    if (what === "undo") editor.commands.setTextSelection(editor.getText().includes("first") ? between : 1);
    const [before, there] = [editor.getText(), editor.commands[what]()];
    expect(there).toBe(true);
    if (what === "undo") expect(editor.state.selection.$head.parent.textContent, before).toBe(before.includes("last") ? "three" : "one");
  }
});

test("a letter of one's own script and an object are never taken for each other", () => {
  const picture = (at: number): JSONContent => ({ type: "image", attrs: { src: `/api/v1/documents/d/attachments/${at}` } });
  const shape = (editor: Editor): unknown[] => (editor.getJSON() as JSONContent).content?.[0]?.content?.map(({ text, attrs }): unknown => text ?? attrs?.["src"]) ?? [];
  // Letters that mean what each font says they mean; how objects are told apart within must not matter.
  for (const letter of ["\ue000", "\ue001", "\ufdd0", "\ufffc"]) {
    for (const others of [[], [picture(1)]]) {
      const { ann, bo, annDoc } = together();
      const before = others.length > 0 ? ["/api/v1/documents/d/attachments/1"] : [];
      ann.commands.setContent({ type: "doc", content: [{ type: "paragraph", content: [...others, { type: "text", text: `a${letter}b` }] }] });
      const at = 2 + others.length;
      for (const [now, expected] of [
        [picture(2), [...before, "a", "/api/v1/documents/d/attachments/2", "b"]],
        [{ type: "text", text: letter }, [...before, `a${letter}b`]],
        [{ type: "mention", attrs: { id: "Bo", label: "Bo" } }, [...before, "a", undefined, "b"]],
      ] as const) {
        ann.view.dispatch(ann.state.tr.replaceWith(at, at + 1, ann.schema.nodeFromJSON(now)));
        const said = `${letter.codePointAt(0)?.toString(16) ?? ""} ${others.length}`;
        expect(shape(bo), said).toEqual(expected);
        expect(shape(ann), said).toEqual(expected);
        expect(readText(annDoc, ann.schema).eq(ann.state.doc), said).toBe(true);
      }
    }
  }
});

test("what is done again has the caret behind it, as it was", () => {
  const { editor } = open();
  const at = (): string => editor.state.doc.textBetween(0, editor.state.selection.head, "/");
  editor.commands.setContent("<p>one</p><p>two</p>");
  boundTo(editor.view)?.undo.manager.stopCapturing();
  editor.commands.setTextSelection(4);
  rule(editor, " more");
  for (let times = 0; times < 3; times++) {
    editor.commands.undo();
    expect([editor.getText({ blockSeparator: "/" }), at()]).toEqual(["one/two", "one"]);
    editor.commands.redo();
    expect([editor.getText({ blockSeparator: "/" }), at()]).toEqual(["one more/two", "one more"]);
  }
  editor.commands.splitBlock();
  editor.commands.undo();
  editor.commands.redo();
  expect(at()).toBe("one more/");
});

test("a composed word that others took a part of is there once when more of theirs arrives right behind its end", async () => {
  const mores = [(text: YText) => text.insert(text.length, " and more"), (text: YText) => text.insert(0, "Bo: ")];
  for (const [more, gone] of mores.flatMap((one) => [[one, "wo"], [one, "word"]] as const)) {
    const { ann, bo, boDoc } = together();
    ann.commands.setContent("<p>one:</p><p>two</p>");
    ann.commands.setTextSelection(5);
    const { input } = ann.view as unknown as { readonly input: { composing: boolean } };
    input.composing = true;
    const compose = (word: string, length: number): void => ann.view.dispatch(ann.state.tr.insertText(word, 5, 5 + length).setMeta("composition", 1));
    compose("wo", 0);
    compose("wor", 2);
    // Somebody takes away what there is of it.
    const text = boDoc.getText("body");
    if (gone === "wo") text.delete(indexOf(text, "wor"), 2);
    compose("word", 3);
    if (gone === "word") text.delete(indexOf(text, "word"), 4);
    expect(ann.getText({ blockSeparator: "/" })).toBe("one:word/two");
    input.composing = false;
    ann.view.dom.dispatchEvent(new Event("compositionend"));
    more(text);
    const whole = ann.getText({ blockSeparator: "/" });
    expect(whole.match(/word/g)).toEqual(["word"]);
    expect(bo.getText({ blockSeparator: "/" })).toBe(whole);
    expect(ann.state.selection.$head.parent.textContent.slice(0, ann.state.selection.$head.parentOffset)).toMatch(/one:word$/);
    // Also when it is looked at again a moment later.
    await new Promise((done) => setTimeout(done, 60));
    expect(ann.getText({ blockSeparator: "/" })).toBe(whole);
    expect(ann.state.selection.$head.parent.textContent.slice(0, ann.state.selection.$head.parentOffset)).toMatch(/one:word$/);
  }
});

/** Where in a sequence words stand: what is no letter counts, too. */
function indexOf(text: YText, words: string): number {
  return (text.toDelta() as { readonly insert: unknown }[]).map(({ insert }) => (typeof insert === "string" ? insert : "\ufffc")).join("").indexOf(words);
}

test("opening a document writes nothing into it, whatever it ends with", () => {
  const source = open();
  source.editor.commands.setHeading({ level: 2 });
  source.editor.commands.insertContent("ends with a heading");
  const copy = new Doc();
  applyUpdate(copy, encodeStateAsUpdate(source.doc));
  let updates = 0;
  copy.on("update", () => updates++);
  open(copy);
  open(new Doc());
  expect(updates).toBe(0);
});

test("the first level of headings is shown under the page's own, and stays itself on the clipboard", () => {
  const { editor, doc } = open();
  rule(editor, "# One");
  expect(editor.getHTML()).toBe('<h2 data-level="1">One</h2>');
  expect(doc.getText("body").toDelta()).toEqual([{ insert: expect.anything() as unknown }, { insert: "One" }]);
  const copied = open();
  copied.editor.commands.setContent(editor.getHTML());
  expect(copied.editor.getHTML()).toBe('<h2 data-level="1">One</h2>');
  copied.editor.commands.setContent("<h1>From elsewhere</h1><h6>deep</h6>");
  expect(copied.editor.getHTML()).toContain('<h2 data-level="1">From elsewhere</h2>');
});

test("a typed address becomes a link, its punctuation does not", () => {
  const { editor } = open();
  rule(editor, "see https://example.org/a?b, and www.example.com. Not example.net or code ");
  const links = [...editor.getHTML().matchAll(/<a [^>]*href="([^"]*)"[^>]*>([^<]*)<\/a>/g)].map(([, href, text]) => [href, text]);
  expect(links).toEqual([
    ["https://example.org/a?b", "https://example.org/a?b"],
    ["https://www.example.com/", "www.example.com"],
  ]);
  expect(editor.getText()).toBe("see https://example.org/a?b, and www.example.com. Not example.net or code ");
});

test("a list of tasks is typed as in Markdown: the box behind the sign makes the item a task", () => {
  const { editor } = open();
  const shape = (): unknown[] =>
    ((editor.getJSON() as JSONContent).content ?? []).map(({ type, content }) => [type, (content ?? []).map((item): unknown[] => [item.attrs?.["checked"], item.content?.map(({ content }) => content?.[0]?.text)])]);
  rule(editor, "- [ ] wool");
  expect(shape()).toEqual([["taskList", [[false, ["wool"]]]]]);
  editor.commands.splitListItem("taskItem");
  rule(editor, "linen");
  // Out of the list, and on with its sign: one more of the same list.
  editor.commands.splitListItem("taskItem");
  editor.commands.liftListItem("taskItem");
  rule(editor, "- [x] silk");
  expect(shape()).toEqual([["taskList", [[false, ["wool"]], [false, ["linen"]], [true, ["silk"]]]]]);

  editor.commands.setContent("<ul><li>one</li><li>two</li><li>three</li></ul>");
  editor.commands.setTextSelection(editor.state.doc.child(0).child(0).nodeSize + 3);
  rule(editor, "[X] ");
  rule(editor, "now ");
  expect(shape()).toEqual([
    ["bulletList", [[undefined, ["one"]]]],
    ["taskList", [[true, ["now two"]]]],
    ["bulletList", [[undefined, ["three"]]]],
  ]);
});

test("a numbered list is typed with a bracket too", () => {
  const { editor } = open();
  rule(editor, "3) three");
  expect(editor.getJSON().content?.[0]).toMatchObject({ type: "orderedList", attrs: { start: 3 } });
  expect(editor.state.doc.textContent).toBe("three");
});

test("links and pictures are typed as in Markdown, and what is neither stays as it is", () => {
  const { editor } = open();
  const typed = (text: string): unknown => {
    editor.commands.setContent("");
    rule(editor, text);
    return (editor.getJSON() as JSONContent).content?.[0]?.content?.map(({ type, text: words, attrs, marks }): unknown[] => (type === "image" ? [attrs?.["src"], attrs?.["alt"]] : [words, marks?.[0]?.attrs?.["href"] ?? null]));
  };
  expect(typed("see [the page](https://example.org/a?b), and")).toEqual([
    ["see ", null],
    ["the page", "https://example.org/a?b"],
    [", and", null],
  ]);
  expect(typed("a ![loom](https://example.org/l.png) b")).toEqual([["a ", null], ["https://example.org/l.png", "loom"], [" b", null]]);
  expect(typed("![](/api/v1/documents/d/attachments/1)")).toEqual([["/api/v1/documents/d/attachments/1", ""]]);
  for (const plain of ["f[i](x)", "[run](javascript:alert(1))", "![a](b)", "[ ](https://example.org"]) expect(typed(plain)).toEqual([[plain, null]]);
});

test("an address another client stored is followed only if it is harmless", () => {
  const doc = new Doc();
  doc.getText("body").insert(0, "press me", { link: "javascript:alert(1)" });
  const { editor } = open(doc);
  const link = editor.view.dom.querySelector("a");
  expect(link?.textContent).toBe("press me");
  expect(link?.getAttribute("href")).toBeNull();
});

test("random: after every change both show the shared data, and a place in one is the same place in the other", () => {
  for (let round = 0; round < 12; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    const random = seeded(seed);
    const people = together();
    const editors = [people.ann, people.bo];
    rule(people.ann, "one");
    for (let step = 0; step < 40; step++) {
      const editor = editors[random(2)] ?? people.ann;
      const { size } = editor.state.doc.content;
      const from = Math.min(size, 1 + random(size));
      const to = random(3) === 0 ? Math.min(size, from + random(6)) : from;
      // Where a caret can stand; a person's can stand nowhere else.
      const { doc, tr } = editor.state;
      editor.view.dispatch(tr.setSelection(TextSelection.between(doc.resolve(from), doc.resolve(to))));
      const act = random(10);
      if (act < 5) editor.commands.insertContent(String.fromCharCode(97 + random(26)).repeat(1 + random(3)));
      else if (act === 5) editor.commands.splitBlock();
      else if (act === 6) editor.commands.toggleBold();
      else if (act === 7) editor.commands.deleteSelection();
      else if (act === 8) editor.commands.toggleBulletList();
      else editor.commands.setHeading({ level: 2 });
      const [ann, bo] = [people.ann.state.doc, people.bo.state.doc];
      const text = readText(people.annDoc, people.ann.schema);
      expect(ann.toString(), `seed ${seed}, step ${step}`).toBe(text.toString());
      expect(bo.toString(), `seed ${seed}, step ${step}`).toBe(text.toString());
      ann.descendants((node, at) => {
        if (!node.isText) return;
        const [here, there] = [people.ann, people.bo].map(({ view }) => boundTo(view)!.binding);
        const told = JSON.parse(JSON.stringify(shared(here!, { anchor: at + 1, head: at + 1 }))) as unknown;
        for (const binding of [here!, there!]) expect(placed(binding, told), `seed ${seed}, step ${step}`).toEqual({ anchor: at + 1, head: at + 1 });
      });
    }
    for (const close of opened.splice(0)) close();
  }
});

test("a table is as wide as its columns need to be read", () => {
  const { editor } = open();
  editor.commands.insertTable({ rows: 1, cols: 10 });
  expect(editor.view.dom.querySelector("table")?.style.minWidth).toBe("960px");
});

/** A key as the browser sends it; answers whether the editor took it. */
const press = (editor: Editor, key: string, more: KeyboardEventInit & { keyCode?: number } = {}): boolean =>
  editor.view.someProp("handleKeyDown", (handle) => handle(editor.view, new KeyboardEvent("keydown", { key, ...more }))) === true;

test("redo's keys never undo, and both are taken when there is nothing to do", () => {
  const { editor, doc } = open();
  editor.commands.insertContent("one");
  // With Caps Lock the letter is small although Shift is pressed.
  for (const key of ["Z", "z"]) expect(press(editor, key, { ctrlKey: true, shiftKey: true, keyCode: 90 })).toBe(true);
  expect(plainText(doc)).toBe("one");
  for (let step = 0; step < 3; step++) expect(press(editor, "z", { ctrlKey: true })).toBe(true);
  expect(plainText(doc)).toBe("");
  expect(press(editor, "z", { ctrlKey: true, shiftKey: true, keyCode: 90 })).toBe(true);
  expect(plainText(doc)).toContain("one");
});

test("words are struck by either key, and Tab indents code", () => {
  const { editor } = open();
  editor.commands.setContent("<p>words</p>");
  for (const key of ["X", "S"]) {
    editor.commands.selectAll();
    press(editor, key, { ctrlKey: true, shiftKey: true, keyCode: key.charCodeAt(0) });
    expect(editor.isActive("strike"), key).toBe(key === "X");
  }
  editor.commands.setContent("<pre><code>fn</code></pre>");
  editor.commands.setTextSelection(1);
  expect(press(editor, "Tab")).toBe(true);
  expect(editor.state.doc.textContent).toBe("  fn");
  expect(press(editor, "Tab", { shiftKey: true })).toBe(true);
  expect(editor.state.doc.textContent).toBe("fn");
});

test("a table and a line come behind what is selected, and selected lines become one block of code", () => {
  const { editor } = open();
  const blocks = (): string[] => editor.getJSON().content.map(({ type }) => type);
  editor.commands.setContent("<p>one</p><p>two</p>");
  behindSelection(editor.chain().selectAll()).setHorizontalRule().run();
  expect(editor.getText()).toContain("one");
  expect(editor.getText()).toContain("two");
  expect(blocks().slice(0, 3)).toEqual(["paragraph", "paragraph", "horizontalRule"]);

  editor.commands.setContent("<p>one</p><p>two</p>");
  behindSelection(editor.chain().selectAll()).insertTable({ rows: 2, cols: 2 }).run();
  expect(blocks().slice(0, 3)).toEqual(["paragraph", "paragraph", "table"]);

  editor.commands.setContent("<p>let a;</p><p>let b;<br>let c;</p>");
  asCode(editor.chain().selectAll()).run();
  expect(editor.getJSON().content).toEqual([{ type: "codeBlock", attrs: { language: null }, content: [{ type: "text", text: "let a;\nlet b;\nlet c;" }] }]);
  asCode(editor.chain()).run();
  expect(blocks()).toEqual(["paragraph"]);

  editor.commands.setContent('<p>look <img src="/api/v1/documents/x/attachments/1"> here</p>');
  expect(hasPictures(editor.state)).toBe(true);
  asCode(editor.chain().setTextSelection(2)).run();
  expect(JSON.stringify(editor.getJSON())).toContain("attachments/1");
});

test("a caret stays between its letters when a colleague splits, joins, indents or changes its block", () => {
  const { ann, bo } = together();
  const at = (editor: Editor): string => {
    const { parent, parentOffset } = editor.state.selection.$head;
    return `${parent.textContent.slice(0, parentOffset)}|${parent.textContent.slice(parentOffset)}`;
  };
  const into = (editor: Editor, words: string, offset: number): void => {
    editor.state.doc.descendants((node, place) => {
      if (node.isText && node.text === words) editor.commands.setTextSelection(place + offset);
    });
  };
  const cases: readonly (readonly [string, string, number, string, number, (editor: Editor) => unknown, string])[] = [
    ["split before it", "<p>one two three</p>", 8, "one two three", 3, (editor) => editor.commands.splitBlock(), " two |three"],
    ["split behind it", "<p>one two three</p>", 2, "one two three", 8, (editor) => editor.commands.splitBlock(), "on|e two "],
    ["a heading of it", "<p>one two three</p>", 13, "one two three", 1, (editor) => editor.commands.setHeading({ level: 2 }), "one two three|"],
    ["a list of it", "<p>one two three</p>", 5, "one two three", 1, (editor) => editor.commands.toggleBulletList(), "one t|wo three"],
    ["indented", "<ul><li><p>zero</p></li><li><p>one two three</p></li></ul>", 5, "one two three", 1, (editor) => editor.commands.sinkListItem("listItem"), "one t|wo three"],
    ["brought out", "<ul><li><p>zero</p><ul><li><p>one two three</p></li></ul></li></ul>", 13, "one two three", 1, (editor) => editor.commands.liftListItem("listItem"), "one two three|"],
    ["joined with the line before", "<p>zero</p><p>one two three</p>", 5, "one two three", 0, (editor) => editor.commands.joinBackward(), "zeroone t|wo three"],
  ];
  for (const [name, html, caret, words, place, act, expected] of cases) {
    ann.commands.setContent(html);
    into(bo, "one two three", caret);
    into(ann, words, place);
    act(ann);
    expect(at(bo), name).toBe(expected);
    // And their next letter comes there.
    bo.commands.insertContent("X");
    expect(at(ann).replace("|", "") + ann.getText(), name).toContain(expected.replace("|", "X"));
  }
});

test("random: whatever a colleague does to blocks, a caret's neighbours are the same as long as they are there", () => {
  for (let round = 0; round < 30; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    const random = seeded(seed);
    const { ann, bo } = together();
    // Every letter once, so that each can be told from all the others.
    const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    ann.commands.setContent(`<p>${letters.slice(0, 14)}</p><ul><li><p>${letters.slice(14, 26)}</p></li><li><p>${letters.slice(26, 40)}</p></li></ul><p>${letters.slice(40)}</p>`);
    for (let step = 0; step < 20; step++) {
      const place = ({ state }: Editor): TextSelection => TextSelection.near(state.doc.resolve(random(state.doc.content.size))) as TextSelection;
      bo.view.dispatch(bo.state.tr.setSelection(place(bo)));
      ann.view.dispatch(ann.state.tr.setSelection(place(ann)));
      const { parent, parentOffset } = bo.state.selection.$head;
      const [before, behind] = [parent.textContent[parentOffset - 1], parent.textContent[parentOffset]];
      const [act] = [
        () => ann.commands.splitBlock(),
        () => ann.commands.joinBackward(),
        () => ann.commands.setHeading({ level: 2 }),
        () => ann.commands.toggleBulletList(),
        () => ann.commands.sinkListItem("listItem"),
        () => ann.commands.liftListItem("listItem"),
        () => ann.commands.setParagraph(),
      ].slice(random(7));
      act?.();
      const after = bo.state.selection.$head;
      const now = [after.parent.textContent[after.parentOffset - 1], after.parent.textContent[after.parentOffset]];
      expect(now[0] === before || now[1] === behind, `seed ${seed}, step ${step}: ${before}|${behind} is ${now.join("|")}`).toBe(true);
    }
    for (const close of opened.splice(0)) close();
  }
});

test("headings are heard one step at a time, whatever levels a text leaves out, and stay what they are", () => {
  const { editor } = open();
  const heading = (level: number): JSONContent => ({ type: "heading", attrs: { level }, content: [{ type: "text", text: `of ${level}` }] });
  editor.commands.setContent({ type: "doc", content: [heading(2), heading(4), { type: "blockquote", content: [heading(6)] }, heading(1), heading(2), heading(4)] });
  const steps = (): readonly number[] =>
    [...editor.view.dom.querySelectorAll("h2, h3, h4, h5, h6")].map((element) => Number(element.getAttribute("aria-level") ?? element.tagName.slice(1)));
  expect(steps()).toEqual([2, 3, 4, 2, 3, 4]);
  editor.commands.insertContentAt(0, heading(1));
  expect(steps()).toEqual([2, 3, 4, 5, 2, 3, 4]);
  expect(editor.getJSON().content?.map(({ attrs }) => attrs?.["level"] as unknown).filter((level) => level !== undefined)).toEqual([1, 2, 4, 1, 2, 4]);
});

test("a key that moved the caret is not lost to what a colleague writes before the editor has read it", async () => {
  for (const meanwhile of ["words", "caret"] as const) {
    const { ann, bo } = together();
    ann.commands.setContent({ type: "doc", content: ["one", "two"].map((text) => ({ type: "paragraph", content: [{ type: "text", text }] })) });
    ann.view.focus();
    ann.commands.setTextSelection(8);
    // The browser has moved it, and says so later.
    const hush = (event: Event): void => event.stopImmediatePropagation();
    window.addEventListener("selectionchange", hush, true);
    document.getSelection()?.collapse(ann.view.dom.querySelector("p")?.firstChild ?? null, 1);
    window.removeEventListener("selectionchange", hush, true);
    expect(ann.state.selection.head).toBe(8);
    if (meanwhile === "words") bo.view.dispatch(bo.state.tr.insertText("!", 4));
    else {
      const awareness = awarenessOf.get(ann);
      awareness?.states.set(7, { user: { name: "Bo" }, cursor: null });
      awareness?.emit("change", [{ added: [7], updated: [], removed: [] }, "relay"]);
      await frame();
    }
    expect(ann.state.selection.head).toBe(2);
  }
});

test("where a colleague is is looked at once in a frame, and goes along with the letters until then", async () => {
  const { ann, bo } = together();
  const [there, here] = [awarenessOf.get(bo)!, awarenessOf.get(ann)!];
  there.setLocalStateField("user", { name: "Bo" });
  there.on("update", ({ updated }: { readonly updated: readonly number[] }) => applyAwarenessUpdate(here, encodeAwarenessUpdate(there, [...updated]), "relay"));
  bo.view.focus();
  bo.commands.insertContent("w");
  await frame();
  const before = (): string => ann.view.dom.querySelector(".caret")?.previousSibling?.textContent ?? "";
  expect(before()).toBe("w");
  let drawn = 0;
  ann.on("transaction", ({ transaction }) => void (drawn += transaction.docChanged ? 0 : 1));
  const measured = vi.spyOn(Element.prototype, "getBoundingClientRect");
  opened.push(() => measured.mockRestore());
  for (const letter of "arp") {
    bo.commands.insertContent(letter);
    expect(before()).toBe(bo.state.doc.textContent);
  }
  expect([drawn, measured.mock.calls.length]).toEqual([0, 0]);
  await frame();
  expect(before()).toBe("warp");
  // They are where the letters took them.
  expect(drawn).toBe(0);
  bo.commands.setTextSelection(2);
  expect(before()).toBe("warp");
  await frame();
  expect([before(), drawn]).toEqual(["w", 1]);
});

const frame = (): Promise<unknown> => new Promise(requestAnimationFrame);

test("the first key costs its line, not the text", () => {
  const doc = new Doc();
  doc.getText("body").applyDelta(Array.from({ length: 50 }, (_, at) => [{ insert: new YMap([["type", "paragraph"]]) }, { insert: `line ${at}` }]).flat());
  const { editor } = open(doc);
  expect(boundTo(editor.view)?.binding.document).toBe(editor.state.doc);
});
