// Blocks that would take the place of what is selected, without its words being lost.
import type { ChainedCommands } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
import { type EditorState, Selection, TextSelection } from "@tiptap/pm/state";

/** What is inserted next comes behind the selection. A table in place of three paragraphs is not what anybody meant. */
export function behindSelection(chain: ChainedCommands): ChainedCommands {
  return chain.command(({ tr }) => {
    if (!tr.selection.empty) tr.setSelection(Selection.near(tr.selection.$to, -1));
    return true;
  });
}

/** Whether there are pictures in the selected blocks, for which there is no place in code. */
export function hasPictures({ doc, selection }: EditorState): boolean {
  const range = selection.$from.blockRange(selection.$to);
  let found = false;
  doc.nodesBetween(range?.start ?? selection.from, range?.end ?? selection.to, (node) => {
    found ||= node.type.name === "image";
    return !found;
  });
  return found;
}

/** The selected blocks as one of code, a line for each; what is code is text again. Nothing, where there are pictures. */
export function asCode(chain: ChainedCommands): ChainedCommands {
  return chain.command(({ tr, state, commands }) => {
    if (hasPictures(state)) return false;
    const range = tr.selection.$from.blockRange(tr.selection.$to);
    const blocks = range === null ? [] : range.parent.content.content.slice(range.startIndex, range.endIndex);
    const code = state.schema.nodes["codeBlock"];
    if (range === null || code === undefined || blocks.length < 2 || !blocks.every((block) => block.isTextblock && block.type !== code)) return commands.toggleCodeBlock();
    const text = blocks.map(lineOf).join("\n");
    tr.replaceWith(range.start, range.end, code.create(null, text === "" ? [] : state.schema.text(text)));
    tr.setSelection(TextSelection.create(tr.doc, range.start + 1, range.start + 1 + text.length));
    return true;
  });
}

function lineOf(block: Node): string {
  return block.textBetween(0, block.content.size, "\n", ({ type, attrs }) => (type.name === "hardBreak" ? "\n" : type.name === "mention" ? `@${String(attrs["label"])}` : ""));
}
