// The editor without a view around it: which blocks exist, how they are bound to the shared data, and what undo may touch.
import { Editor, type Extensions, getSchema } from "@tiptap/core";
import { Blockquote } from "@tiptap/extension-blockquote";
import { Bold } from "@tiptap/extension-bold";
import { Code } from "@tiptap/extension-code";
import { CodeBlock } from "@tiptap/extension-code-block";
import { Collaboration } from "@tiptap/extension-collaboration";
import { Document } from "@tiptap/extension-document";
import { HardBreak } from "@tiptap/extension-hard-break";
import { HorizontalRule } from "@tiptap/extension-horizontal-rule";
import { Italic } from "@tiptap/extension-italic";
import { BulletList, ListItem, ListKeymap, OrderedList, TaskItem, TaskList } from "@tiptap/extension-list";
import { Paragraph } from "@tiptap/extension-paragraph";
import { Strike } from "@tiptap/extension-strike";
import { TableKit } from "@tiptap/extension-table";
import { Text } from "@tiptap/extension-text";
import { Underline } from "@tiptap/extension-underline";
import { Dropcursor } from "@tiptap/extensions/drop-cursor";
import { Gapcursor } from "@tiptap/extensions/gap-cursor";
import { Placeholder } from "@tiptap/extensions/placeholder";
import type { Awareness } from "y-protocols/awareness";
import type { Doc } from "yjs";
import { carets } from "./carets";
import { FIELD } from "./field";
import { TitledHeading } from "./heading";
import { LinkMark } from "./link-mark";

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
  /** Asked again whenever something is drawn, so that a change of language is followed. */
  readonly words: () => EditorWords;
}

export function createEditor(ports: EditorPorts): Editor {
  const blocks = blockExtensions(ports.words);
  return new Editor({
    ...(ports.element ? { element: ports.element } : {}),
    // The page's policy forbids injected styles; text/text.css carries them.
    injectCSS: false,
    editable: ports.editable,
    extensions: [
      ...blocks,
      Collaboration.configure({
        document: ports.doc,
        field: FIELD,
        yUndoOptions: { protectedNodes: blockNames(blocks) },
      }),
      carets({ awareness: ports.awareness, nameless: () => ports.words().nameless }),
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
 * Tiptap's starter kit, spelled out, plus tables and tasks. Left out of it on purpose: its history (undo is the
 * collaboration's: one's own steps, never a colleague's), its trailing paragraph (every reader of a document that ends
 * otherwise would write one), and its links (see link-mark.ts).
 */
function blockExtensions(words: () => EditorWords): Extensions {
  return [
    Document,
    Paragraph,
    Text,
    HardBreak,
    TitledHeading,
    Blockquote,
    CodeBlock,
    HorizontalRule,
    BulletList,
    OrderedList,
    ListItem,
    ListKeymap,
    TaskList,
    TaskItem.configure({ nested: true, a11y: { checkboxLabel: (node) => words().task(node.firstChild?.textContent ?? "") } }),
    // Column widths are a matter of each screen, not of the document.
    TableKit.configure({ table: { resizable: false, renderWrapper: true } }),
    Bold,
    Italic,
    Underline,
    Strike,
    Code,
    LinkMark,
    Dropcursor.configure({ color: false, width: 2, class: "drop-cursor" }),
    Gapcursor,
  ];
}

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
