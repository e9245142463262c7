// The editor without a view around it: which blocks exist, how they are bound to the shared data, and what undo may touch.
import { Editor, type Extensions } from "@tiptap/core";
import type { Awareness } from "y-protocols/awareness";
import type { Doc } from "yjs";
import { blocks } from "./blocks";
import { carets } from "./carets";
import { DropCursor } from "./drop-cursor";
import { Ends } from "./ends";
import { GapCursor } from "./gap-cursor";
import { Leaving } from "./leaving";
import { MovingKeys } from "./moving-keys";
import { placeholder } from "./placeholder";
import { sharedText } from "./shared-text";

/** Words the editor itself says, so that this file knows no language. */
export interface EditorWords {
  readonly label: string;
  readonly placeholder: string;
  readonly nameless: string;
  readonly task: (text: string) => string;
}

export interface EditorPorts {
  /** Where to mount; without it the editor runs headless. */
  readonly element?: HTMLElement;
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly editable: boolean;
  /** What the page around the text adds: menus at the caret, images on their way, colours in code. */
  readonly additions?: Extensions;
  /** Asked again whenever something is drawn, so that a change of language is followed. */
  readonly words: () => EditorWords;
}

export function createEditor(ports: EditorPorts): Editor {
  return new Editor({
    ...(ports.element ? { element: ports.element } : {}),
    // The page's policy forbids injected styles; text/text.css carries them.
    injectCSS: false,
    editable: ports.editable,
    extensions: [
      ...blocks((text) => ports.words().task(text)),
      DropCursor,
      GapCursor,
      sharedText(ports.doc),
      Leaving,
      MovingKeys,
      Ends,
      carets({ awareness: ports.awareness, nameless: () => ports.words().nameless }),
      ...(ports.additions ?? []),
      placeholder(() => ports.words().placeholder),
    ],
    editorProps: {
      attributes: () => ({
        role: "textbox",
        "aria-multiline": "true",
        "aria-label": ports.words().label,
        class: "prose",
        spellcheck: "true",
      }),
      handleClick: (_view, _position, event) => openLinkWithModifier(event),
    },
  });
}

/** A plain click places the caret, as in any text; with Ctrl or ⌘ the link is followed. */
function openLinkWithModifier(event: MouseEvent): boolean {
  if (!(event.ctrlKey || event.metaKey) || !(event.target instanceof Element)) return false;
  const link = event.target.closest("a[href]");
  if (!(link instanceof HTMLAnchorElement)) return false;
  window.open(link.href, "_blank", "noopener,noreferrer");
  return true;
}
