// Everything that can stand in a text. The editor, the import and the export share this list, so that none of them knows
// less than the others.
import { getSchema, type Extensions } from "@tiptap/core";
import { Blockquote } from "@tiptap/extension-blockquote";
import { Bold } from "@tiptap/extension-bold";
import { Code } from "@tiptap/extension-code";
import { CodeBlock } from "@tiptap/extension-code-block";
import { Document } from "@tiptap/extension-document";
import { HardBreak } from "@tiptap/extension-hard-break";
import { HorizontalRule } from "@tiptap/extension-horizontal-rule";
import { Italic } from "@tiptap/extension-italic";
import { BulletList, ListItem, ListKeymap, TaskList } from "@tiptap/extension-list";
import { Paragraph } from "@tiptap/extension-paragraph";
import { Strike } from "@tiptap/extension-strike";
import { TableKit } from "@tiptap/extension-table";
import { Text } from "@tiptap/extension-text";
import { Underline } from "@tiptap/extension-underline";
import type { Schema } from "@tiptap/pm/model";
import { TitledHeading } from "./heading";
import { LinkMark } from "./link-mark";
import { Numbers, Task } from "./lists";
import { marks } from "./marks";
import { Mention } from "./mention";
import { Picture } from "./picture";
import { PatientTable } from "./tables";

/**
 * Tiptap's starter kit, spelled out, plus tables, tasks, images and mentions. Left out of it on purpose: its history
 * (undo is the collaboration's: one's own steps, never a colleague's), its trailing paragraph (every reader of a
 * document that ends otherwise would write one), and its links (see link-mark.ts).
 */
export function blocks(taskLabel: (text: string) => string = (text) => text): Extensions {
  return [
    Document,
    Paragraph,
    Text,
    HardBreak,
    TitledHeading,
    Blockquote,
    // Tab indents; Escape before it gives it back to the page (leaving.ts).
    CodeBlock.configure({ enableTabIndentation: true, tabSize: 2 }),
    HorizontalRule,
    BulletList,
    Numbers,
    ListItem,
    ListKeymap,
    TaskList,
    Task.configure({ nested: true, a11y: { checkboxLabel: (node) => taskLabel(node.firstChild?.textContent ?? "") } }),
    // A column is as wide as it was drawn, or else as its words; narrower than six letters of the page's own size, in px,
    // nobody can read one, and the table scrolls instead.
    PatientTable.configure({ handleWidth: 6, renderWrapper: true, cellMinWidth: 96 }),
    TableKit.configure({ table: false }),
    Picture,
    Mention,
    Bold,
    Italic,
    Underline,
    Struck,
    Code,
    LinkMark,
    ...marks,
  ];
}

/** With the key that most editors have for it, beside Tiptap's own. */
const Struck = Strike.extend({
  addKeyboardShortcuts() {
    return { ...this.parent?.(), "Mod-Shift-x": () => this.editor.commands.toggleStrike() };
  },
});

let known: Schema | null = null;

/** The shape of a text, for code that has no editor. */
export function textSchema(): Schema {
  known ??= getSchema(blocks());
  return known;
}
