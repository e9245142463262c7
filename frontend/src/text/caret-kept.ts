// Where one's caret is after somebody else changed the blocks around it. The binding remembers the caret by the letter it
// stands at; but a block that is split, joined, indented or made a heading is deleted and written anew, letters and all, and
// the caret fell to the end of what was left. The words say where it belongs: between the same letters as before.
import type { Node } from "@tiptap/pm/model";
import { type EditorState, TextSelection, type Transaction } from "@tiptap/pm/state";
import { simpleDiffString } from "lib0/diff";

/** The words of a document in one line, with where each block's begin in it and in the document. */
interface Flat {
  readonly text: string;
  readonly blocks: readonly { readonly offset: number; readonly position: number; readonly length: number }[];
}

/** What to remember before the change; `null` if there is no caret in words. */
export function rememberCaret({ doc, selection }: EditorState): ((state: EditorState) => Transaction | null) | null {
  if (!(selection instanceof TextSelection)) return null;
  const before = flat(doc);
  const [anchor, head] = [offsetOf(before, selection.anchor), offsetOf(before, selection.head)];
  if (anchor === null || head === null) return null;

  return ({ doc: changed, tr, selection: now }) => {
    const after = flat(changed);
    const { index, remove, insert } = simpleDiffString(before.text, after.text);
    // What stood in the changed part has no letters to be found by.
    const moved = (offset: number): number | null => (offset <= index ? offset : offset >= index + remove ? offset + insert.length - remove : null);
    const [from, to] = [moved(anchor), moved(head)];
    if (from === null || to === null) return null;
    const kept = TextSelection.between(changed.resolve(positionOf(after, from)), changed.resolve(positionOf(after, to)));
    return kept.eq(now) ? null : tr.setSelection(kept).setMeta("addToHistory", false);
  };
}

function flat(doc: Node): Flat {
  let text = "";
  const blocks: { offset: number; position: number; length: number }[] = [];
  doc.descendants((node, at) => {
    if (!node.isTextblock) return true;
    blocks.push({ offset: text.length, position: at + 1, length: node.content.size });
    // Whatever stands between letters counts as one, as it does in the document.
    text += `${node.textBetween(0, node.content.size, undefined, "\ufffc")}\n`;
    return false;
  });
  return { text, blocks };
}

function offsetOf({ blocks }: Flat, position: number): number | null {
  const block = blocks.findLast((one) => one.position <= position);
  return block !== undefined && position <= block.position + block.length ? block.offset + position - block.position : null;
}

function positionOf({ blocks }: Flat, offset: number): number {
  const block = blocks.findLast((one) => one.offset <= offset);
  return block === undefined ? 0 : block.position + Math.min(offset - block.offset, block.length);
}
