// The editor without a view around it: which blocks exist, how they are bound to the shared data, and what undo may touch.
import { Editor, type Extensions, getSchema } from "@tiptap/core";
import { Collaboration } from "@tiptap/extension-collaboration";
import { Dropcursor } from "@tiptap/extensions/drop-cursor";
import { Gapcursor } from "@tiptap/extensions/gap-cursor";
import { Placeholder } from "@tiptap/extensions/placeholder";
import type { Awareness } from "y-protocols/awareness";
import type { Doc } from "yjs";
import { blocks } from "./blocks";
import { carets } from "./carets";
import { holdWhileComposing } from "./composing";
import { Ends } from "./ends";
import { FIELD } from "./field";
import { Filled } from "./filled";
import { FirstCaret } from "./first-caret";
import { Leaving } from "./leaving";

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
  const written = blocks((text) => ports.words().task(text));
  const composing = holdWhileComposing();
  return new Editor({
    ...(ports.element ? { element: ports.element } : {}),
    // The page's policy forbids injected styles; text/text.css carries them.
    injectCSS: false,
    editable: ports.editable,
    extensions: [
      ...written,
      Dropcursor.configure({ color: false, width: 2, class: "drop-cursor" }),
      Gapcursor,
      Undoable.configure({
        document: ports.doc,
        field: FIELD,
        yUndoOptions: { protectedNodes: blockNames(written) },
      }),
      Filled,
      FirstCaret,
      composing.extension,
      Leaving,
      Ends,
      carets({ awareness: ports.awareness, nameless: () => ports.words().nameless, selection: composing.selection }),
      ...(ports.additions ?? []),
      Placeholder.configure({ placeholder: () => ports.words().placeholder }),
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

/**
 * The keys are taken also when there is nothing to undo or redo. Otherwise they go on: with Caps Lock, redo without its
 * Shift is undo; and undo is the browser's own, which knows nothing of what others wrote.
 */
const Undoable = Collaboration.extend({
  addKeyboardShortcuts() {
    const { editor } = this;
    const undo = (): boolean => editor.commands.undo() || true;
    const redo = (): boolean => editor.commands.redo() || true;
    return { "Mod-z": undo, "Mod-y": redo, "Shift-Mod-z": redo };
  },
});

/**
 * Every kind of block. Undoing the creation of a block removes it only if it is empty: without this list, undoing a
 * heading one person made also removed what another had typed in it.
 */
function blockNames(extensions: Extensions): Set<string> {
  const { nodes } = getSchema(extensions);
  return new Set(Object.values(nodes).filter((type) => type.isBlock).map((type) => type.name));
}

/** A plain click places the caret, as in any text; with Ctrl or ⌘ the link is followed. */
function openLinkWithModifier(event: MouseEvent): boolean {
  if (!(event.ctrlKey || event.metaKey) || !(event.target instanceof Element)) return false;
  const link = event.target.closest("a[href]");
  if (!(link instanceof HTMLAnchorElement)) return false;
  window.open(link.href, "_blank", "noopener,noreferrer");
  return true;
}
