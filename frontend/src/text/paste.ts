// What is pasted and needs more than the editor does by itself: Markdown as plain text, lists and tasks as other programs
// write them, pictures inside of addresses. Here is told whether there is any; pasted.ts, fetched then, does it.
import { Extension, type Editor, type EditorEvents } from "@tiptap/core";
import { Plugin, type Transaction } from "@tiptap/pm/state";
import { isElsewhere } from "../documents/pictures";
import { isForeign } from "./foreign";
import type { Held } from "./held-place";
import type { PastesPorts } from "./pasted";

export function pastes(ports: PastesPorts): Extension {
  return Extension.create({
    name: "pastes",
    addProseMirrorPlugins() {
      const { editor } = this;
      // With Shift, plain words are meant, whatever they look like.
      let plain = false;
      return [
        new Plugin({
          props: {
            handleDOMEvents: {
              keydown: (_view, event) => {
                plain = event.shiftKey;
                return false;
              },
              pointerdown: () => {
                plain = false;
                return false;
              },
              paste: (view, event) => {
                const data = event.clipboardData;
                if (!view.editable) {
                  ports.refused();
                  return false;
                }
                if (data === null || plain || view.state.selection.$from.parent.type.spec.code) return false;
                const html = data.getData("text/html");
                const text = data.getData("text/plain").replace(/\r\n?/g, "\n");
                const special = html !== "" ? isForeign(html) || hasDataPictures(html) || hasOthersPictures(html, ports.own) : data.files.length === 0 && isMarkdown(text);
                if (!special) return false;
                event.preventDefault();
                void bring(editor, html, text, ports);
                return true;
              },
            },
          },
        }),
      ];
    },
  });
}

async function bring(editor: Editor, html: string, text: string, ports: PastesPorts): Promise<void> {
  const { held, end } = hold(editor);
  try {
    const { pasteHtml, pasteMarkdown } = await import("./pasted");
    const done = await (html === "" ? pasteMarkdown(editor, text, ports, held) : pasteHtml(editor, html, ports, held));
    if (!done && !editor.isDestroyed) ports.refused();
  } catch {
    // Without a network the part that reads it may be missing: then as the editor takes it by itself.
    if (editor.isDestroyed) return;
    if (!editor.isEditable) return ports.refused();
    // And so may be what finds the place again: nothing is replaced that may be something else by now.
    if (held.since.length > 0) editor.commands.setTextSelection(held.since.reduce((at, { mapping }) => mapping.map(at, -1), held.selection.from));
    if (html === "") editor.view.pasteText(text);
    else editor.view.pasteHTML(html);
  } finally {
    end();
  }
}

let count = 0;

/** Keeps what is selected now as the place of something that is not ready yet. */
export function hold(editor: Editor): { readonly held: Held; readonly end: () => void } {
  const since: Transaction[] = [];
  const follow = ({ transaction, appendedTransactions }: EditorEvents["transaction"]): void => void since.push(transaction, ...appendedTransactions);
  editor.on("transaction", follow);
  return { held: { selection: editor.state.selection, since, number: count++ }, end: () => editor.off("transaction", follow) };
}

const hasOthersPictures = (html: string, own: string): boolean => [...html.matchAll(/<img[^>]+src\s*=\s*["']?([^"'\s>]+)/gi)].some(([, address = ""]) => isElsewhere(address, own));

const hasDataPictures = (html: string): boolean => /<img[^>]+src\s*=\s*["']?\s*data:image\//i.test(html);

/** What only Markdown looks like. One bullet is none, nor is a comment in a script or what a program says has changed. */
export function isMarkdown(text: string): boolean {
  return SIGNS.some((sign) => sign.test(text)) && !/^(?:@@ |diff |\+\+\+ |#!)/m.test(text);
}

const ITEM = "[ \\t]*(?:[-*+]|\\d{1,9}[.)])[ \\t]+";
const SIGNS = [
  /^ {0,3}(?:```|~~~)/m,
  /^ {0,3}#{2,6}[ \t]+\S/m,
  // Of the first level alone, with nothing right before it or behind it.
  /(?:^|\n[ \t]*\n)#[ \t]+\S[^\n]*(?:\n[ \t]*(?:\n|$)|$)/,
  new RegExp(`^${ITEM}\\[[ xX]\\][ \\t]+\\S`, "m"),
  new RegExp(`^${ITEM}\\S.*\\n+${ITEM}\\S`, "m"),
  /^.*\|.*\n {0,3}\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$/m,
  /^ {0,3}>[ \t]+\S/m,
];
