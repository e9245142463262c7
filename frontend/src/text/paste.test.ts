// @vitest-environment happy-dom
// What other programs put on the clipboard, and Markdown as plain text.
import type { Editor, JSONContent } from "@tiptap/core";
import { afterEach, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc, Map as YMap } from "yjs";
import { fromHtml } from "./convert";
import { fileOf } from "./data-pictures";
import { createEditor } from "./editor";
import type { Held } from "./held-place";
import { hold, isMarkdown, pastes } from "./paste";
import type { PastesPorts } from "./pasted";
import { pasteHtml, pasteMarkdown } from "./pasted";

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

const kept: File[] = [];
const lost: number[] = [];
const refused: true[] = [];
const ports = {
  keep: (file: File) => Promise.resolve(file.size > 100 ? null : `/api/v1/documents/d/attachments/${kept.push(file)}`),
  own: "/api/v1/documents/notes/attachments/",
  lost: (count: number) => void lost.push(count),
  refused: () => void refused.push(true),
};

const open = (): Editor => opening().editor;

function opening(): { readonly editor: Editor; readonly doc: Doc } {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  document.body.append(element);
  const editor = createEditor({ element, doc, awareness, editable: true, additions: [pastes(ports)], words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  opened.push(() => {
    editor.destroy();
    awareness.destroy();
    element.remove();
    kept.length = 0;
    lost.length = 0;
    refused.length = 0;
  });
  return { editor, doc };
}

/** Blocks as `type(…)`, a task with its box, a picture with its address. */
function outline({ type, text, attrs, content = [] }: JSONContent): string {
  if (text !== undefined) return text;
  if (type === "image") return `image:${String(attrs?.["src"])}`;
  if (type === "paragraph") return content.map(outline).join("");
  const sign = type === "taskItem" ? (attrs?.["checked"] === true ? "x" : "o") : type === "orderedList" ? `ol${attrs?.["start"] === 1 ? "" : String(attrs?.["start"])}` : ({ doc: "", bulletList: "ul", listItem: "", taskList: "tasks" } as Record<string, string>)[type ?? ""] ?? type;
  return `${sign ?? ""}(${content.map(outline).join("|")})`;
}

const word = (level: number, sign: string, text: string): string =>
  `<p class="MsoListParagraphCxSpMiddle" style="margin-left:36.0pt;mso-list:l0 level${level} lfo1"><!--[if !supportLists]--><span lang="EN-US" style="font-family:Symbol"><span style="mso-list:Ignore">${sign}<span style="font:7.0pt">&nbsp;&nbsp;&nbsp; </span></span></span><!--[endif]-->${text}</p>\n`;
const WORD = `<p>Before</p>${word(1, "·", "First")}${word(2, "o", "Inner")}${word(2, "o", "More")}${word(1, "·", "Second")}<p>Between</p>${word(1, "3.", "three")}${word(1, "4.", "four")}${word(2, "a)", "inner")}<p>After</p>`;
const WORD_SAID = "(Before|ul((First|ul((Inner)|(More)))|(Second))|Between|ol3((three)|(four|ol((inner))))|After)";
const GOOGLE =
  '<ul><li dir="ltr" role="checkbox" aria-checked="true"><img src="data:image/png;base64,AAAA" aria-roledescription="checkbox"><p role="presentation"><span>done</span></p></li><li role="checkbox" aria-checked="false"><p>open</p></li><ul><li role="checkbox" aria-checked="true"><p>inner</p></li></ul></ul>';
const GITHUB =
  '<ul class="contains-task-list"><li class="task-list-item"><input type="checkbox" checked disabled> done</li><li class="task-list-item"><p><input type="checkbox"> open</p></li><li>no task</li></ul>';

test("lists of Word, and check lists of Google Docs and GitHub, are lists and tasks", async () => {
  for (const [html, said] of [
    [WORD, WORD_SAID],
    [GOOGLE, "(tasks(x(done)|o(open|tasks(x(inner)))))"],
    [GITHUB, "(tasks(x(done)|o(open))|ul((no task)))"],
  ] as const) {
    const editor = open();
    await pasteHtml(editor, html, ports, hold(editor).held);
    expect(outline(editor.getJSON() as JSONContent)).toBe(said);
    expect(outline(fromHtml(html))).toBe(said);
  }
});

test("a picture inside of an address is stored, and the text gets the address it has then", async () => {
  const editor = open();
  await pasteHtml(editor, `<p>one <img alt="a loom" src="data:image/png;base64,iVBORw0KGgo="> two <img src="data:image/png;base64,${"A".repeat(400)}"></p>`, ports, hold(editor).held);
  expect(outline(editor.getJSON() as JSONContent)).toBe("(one image:/api/v1/documents/d/attachments/1 two)");
  expect([kept[0]?.name, kept[0]?.type, kept[0]?.size]).toEqual(["a loom", "image/png", 8]);
  expect(lost).toEqual([1]);

  const other = open();
  const large = `data:image/png;base64,${"A".repeat(400)}`;
  await pasteMarkdown(other, `words ![x][1] ![y](${large})\n\n[1]: <data:image/png;base64,iVBORw0KGgo=>`, ports, hold(other).held);
  expect(JSON.stringify(other.getJSON())).not.toContain("base64");
  expect(outline(other.getJSON() as JSONContent)).toMatch(/^\(words image:\/api\/v1\/documents\/d\/attachments\/\d \)$/);
  expect(lost).toEqual([1, 1]);
});

test("a data address is read in either writing, or not at all", async () => {
  expect(await fileOf("data:image/svg+xml;charset=utf-8,%3Csvg/%3E", "")?.text()).toBe("<svg/>");
  expect(fileOf("data:image/png;base64,iVBO\n Rw0KGgo%3D", "")?.size).toBe(8);
  for (const bad of ["data:text/html,x", "data:image/png;base64,***", "https://example.org/x.png", "data:image/png"]) expect(fileOf(bad, "")).toBeNull();
});

test("Markdown is told from plain words", () => {
  for (const yes of ["# Title\n\nWords", "# Title", "Words\n\n## More\nwords", "- one\n- two", "1. one\n2. two", "* a\n\n* b", "- [ ] task", "a\n```js\nx\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |", "> said"]) {
    expect(isMarkdown(yes), yes).toBe(true);
  }
  for (const no of ["words", "- one", "a - b\nc - d", "# a comment\necho hi", "#!/bin/sh\n\n# one\n\n", "a #tag", "1.5 and\n2.5 more", "@@ -1 +1 @@\n-  old\n+  new", "x | y", "a > b", "**bold** and `code`"]) {
    expect(isMarkdown(no), no).toBe(false);
  }
});

test("a paste into a text that can only be read, at once or by the time it is read, says so", async () => {
  const editor = open();
  const paste = (): void => {
    const event = new Event("paste", { bubbles: true, cancelable: true });
    Object.assign(event, { clipboardData: { files: [], getData: (type: string) => (type === "text/plain" ? "## Two" : "") } });
    editor.view.dom.dispatchEvent(event);
  };
  paste();
  editor.setEditable(false);
  await vi.waitFor(() => expect(refused).toHaveLength(1));
  paste();
  expect(refused).toHaveLength(2);
  expect(editor.getText()).toBe("");
});

test("Markdown that is pasted becomes what it says, where the caret is", async () => {
  const editor = open();
  editor.commands.setContent("<p>before after</p>");
  editor.commands.setTextSelection(8);
  await pasteMarkdown(editor, "## Two\n\n- [x] done\n- [ ] open\n\n\\*not soft\\* and **bold**\n", ports, hold(editor).held);
  expect(outline(editor.getJSON() as JSONContent)).toBe("(before |heading(Two)|tasks(x(done)|o(open))|*not soft* and boldafter)");
  const empty = open();
  await pasteMarkdown(empty, "# One\n\n1. a\n2. b\n", ports, hold(empty).held);
  expect(outline(empty.getJSON() as JSONContent)).toBe("(heading(One)|ol((a)|(b)))");
  await pasteMarkdown(empty, "c\n\n> d\n", ports, hold(empty).held);
  expect(outline(empty.getJSON() as JSONContent)).toBe("(heading(One)|ol((a)|(bc|blockquote(d))))");
});

/** Something that is pasted, and ready when it is said to be. */
function slowly(editor: Editor, what: (ports: PastesPorts, held: Held) => Promise<unknown>): () => Promise<unknown> {
  let go: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (go = resolve));
  const { held, end } = hold(editor);
  const done = what({ ...ports, keep: () => wait.then(() => null) }, held).finally(end);
  return () => {
    go();
    return done;
  };
}
const PICTURE = '<img src="data:image/png;base64,iVBORw0KGgo=">';
const htmlOf = (editor: Editor, words: string): (() => Promise<unknown>) => slowly(editor, (slow, held) => pasteHtml(editor, `<b>${words}</b>${PICTURE}`, slow, held));
const markdownOf = (editor: Editor, words: string): (() => Promise<unknown>) => slowly(editor, (slow, held) => pasteMarkdown(editor, `**${words}**![](data:image/png;base64,iVBORw0KGgo=)`, slow, held));
const type = (editor: Editor, words: string): void => editor.view.dispatch(editor.state.tr.insertText(words));
const lines = (editor: Editor): string[] => editor.state.doc.content.content.map(({ textContent }) => textContent);
/** The words before the caret in its line, and what is selected. */
const caret = ({ state: { selection, doc } }: Editor): string => `${selection.$from.parent.textContent.slice(0, selection.$from.parentOffset)}|${doc.textBetween(selection.from, selection.to, "/")}`;

test.each([
  ["HTML", htmlOf],
  ["Markdown", markdownOf],
] as const)("%s that is ready later stands where it was pasted, and nothing that was written meanwhile is replaced", async (_name, paste) => {
  const made = (...[from, to]: [number, number]): Editor => {
    const editor = open();
    editor.commands.setContent("<p>one two</p><p>three</p>");
    editor.commands.setTextSelection({ from, to });
    return editor;
  };
  // Nobody did anything: instead of what is selected, and the caret behind it.
  let editor = made(1, 4);
  await paste(editor, "new")();
  expect([lines(editor), caret(editor)]).toEqual([["new two", "three"], "new|"]);

  // Written on behind it.
  editor = made(4, 4);
  let ready = paste(editor, "new");
  type(editor, " more");
  await ready();
  expect([lines(editor), caret(editor)]).toEqual([["onenew more two", "three"], "onenew more|"]);

  // Written in another line, and something selected there.
  editor = made(1, 4);
  ready = paste(editor, "new");
  editor.commands.setTextSelection(15);
  type(editor, " four");
  editor.commands.setTextSelection({ from: 16, to: 20 });
  await ready();
  expect([lines(editor), caret(editor)]).toEqual([["new two", "three four"], "three |four"]);

  // Written over what was selected: that is replaced already.
  editor = made(1, 4);
  ready = paste(editor, "new");
  type(editor, "X");
  await ready();
  expect(lines(editor)).toEqual(["newX two", "three"]);
  editor = made(1, 4);
  editor.commands.selectAll();
  ready = paste(editor, "new");
  type(editor, "X");
  await ready();
  expect(lines(editor)).toEqual(["newX"]);

  // The line is gone.
  editor = made(12, 12);
  ready = paste(editor, "new");
  editor.commands.setTextSelection({ from: 4, to: 15 });
  editor.commands.deleteSelection();
  editor.commands.setTextSelection(1);
  await ready();
  expect([lines(editor), caret(editor)]).toEqual([["onenew"], "|"]);
});

test("what others write meanwhile moves the place of a paste along, also in an empty cell", async () => {
  const { editor, doc } = opening();
  editor.commands.setContent("<p>one</p><table><tbody><tr><td></td><td>right</td></tr></tbody></table>");
  editor.commands.setTextSelection(9);
  expect(editor.state.selection.$from.node(-1).type.name).toBe("tableCell");
  let ready = htmlOf(editor, "new");
  doc.getText("body").insert(0, "before ");
  await ready();
  expect(editor.state.doc.textBetween(0, editor.state.doc.content.size, "/", " ")).toBe("before one/new/right");
  // Also when one is somewhere else by then, and the line has become another.
  editor.commands.setTextSelection(11);
  ready = htmlOf(editor, "here");
  editor.commands.setTextSelection(1);
  const boundary = new YMap<unknown>(Object.entries({ type: "heading", level: 2 }));
  doc.getText("body").insertEmbed(0, boundary);
  doc.getText("body").insert(0, "top");
  await ready();
  expect(editor.state.doc.textBetween(0, editor.state.doc.content.size, "/", " ")).toBe("top/before onehere/new/right");
  expect(editor.state.doc.child(1).type.name).toBe("heading");
});

test("two pastes at one place stand in the order in which they were pasted, whichever is ready first", async () => {
  for (const order of [[0, 1], [1, 0]] as const) {
    const editor = open();
    editor.commands.setContent("<p>one</p>");
    editor.commands.setTextSelection(4);
    const both = [htmlOf(editor, "first"), htmlOf(editor, "second")];
    for (const which of order) await both[which]?.();
    type(editor, "!");
    expect(lines(editor), String(order)).toEqual(["onefirstsecond!"]);
  }
});

test("nothing is put in on a page that may only be read by then", async () => {
  const editor = open();
  editor.commands.setContent("<p>one</p>");
  for (const paste of [htmlOf, markdownOf]) {
    const ready = paste(editor, "new");
    editor.setEditable(false);
    await ready();
    expect(lines(editor)).toEqual(["one"]);
    editor.setEditable(true);
  }
  expect(lost).toEqual([]);
});

test("where what reads it cannot be fetched, it is put in as it is, in its place", async () => {
  vi.doMock("./pasted", () => Promise.reject(new Error("offline")));
  const editor = open();
  editor.commands.setContent("<p>one two</p><p>three</p>");
  editor.commands.setTextSelection({ from: 1, to: 4 });
  const clipboardData = { getData: (kind: string) => (kind === "text/plain" ? "## new" : ""), files: [] };
  const event = Object.assign(new Event("paste", { bubbles: true, cancelable: true }), { clipboardData });
  editor.view.dom.dispatchEvent(event);
  expect(event.defaultPrevented).toBe(true);
  editor.commands.setTextSelection(15);
  await vi.waitFor(() => expect(editor.getText()).toContain("new"));
  expect(lines(editor)).toEqual(["## newone two", "three"]);
  vi.doUnmock("./pasted");
});
