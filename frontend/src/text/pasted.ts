// Bringing in what is pasted, where that takes more than the editor does by itself. Fetched with the first such paste.
import { Node, Slice } from "@tiptap/pm/model";
import type { Editor } from "@tiptap/core";
import { fromMarkdown } from "./convert";
import { type Keep, keepInHtml, keepInMarkdown, takeAlong, withoutLost } from "./data-pictures";
import { isForeign } from "./foreign";
import { tidy } from "./foreign-html";
import { type Held, putAt } from "./held-place";

export interface PastesPorts {
  /** What the addresses of this document's own pictures begin with. */
  readonly own: string;
  readonly keep: Keep;
  /** So many pictures could not be stored and were left out. */
  readonly lost: (count: number) => void;
  /** Nothing was put in: the text can only be read, by then if not before. */
  readonly refused: () => void;
}

/** Answers whether it was put in. */
export async function pasteMarkdown(editor: Editor, text: string, ports: PastesPorts, held: Held): Promise<boolean> {
  const { markdown, lost } = await keepInMarkdown(text, ports.keep);
  const { content: blocks } = Node.fromJSON(editor.schema, withoutLost(fromMarkdown(markdown)));
  const isOpen = (block: Node | null): number => (block?.type.name === "paragraph" ? 1 : 0);
  // As said and not as pasted: its signs have been read, and what was written with a backslash must not be read again.
  // Words join the words around them; a heading or a list stays one.
  const slice = new Slice(blocks, isOpen(blocks.firstChild), isOpen(blocks.lastChild));
  const done = await putAt(editor, held, () => editor.view.dispatch(editor.state.tr.replaceSelection(slice).scrollIntoView()));
  if (done && lost > 0) ports.lost(lost);
  return done;
}

export async function pasteHtml(editor: Editor, html: string, ports: PastesPorts, held: Held): Promise<boolean> {
  // A document of its own, in which nothing is loaded and nothing runs.
  const { body } = new DOMParser().parseFromString(html, "text/html");
  if (isForeign(html)) tidy(body);
  await takeAlong(body, ports.own, ports.keep);
  const lost = await keepInHtml(body, ports.keep);
  const done = await putAt(editor, held, () => editor.view.pasteHTML(body.innerHTML));
  if (done && lost > 0) ports.lost(lost);
  return done;
}
