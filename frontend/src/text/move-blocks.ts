// Blocks moved, copied, made something else or taken away as a whole: by keys (moving-keys.ts), and by the handle beside them
// (block-handle.tsx). In a list what is moved is an item, elsewhere a block with all that stands in it.
import type { Editor } from "@tiptap/core";
import type { Node, NodeRange, ResolvedPos } from "@tiptap/pm/model";
import { NodeSelection, type EditorState, Selection, TextSelection, type Transaction } from "@tiptap/pm/state";

const HOLDERS = new Set(["doc", "blockquote", "bulletList", "orderedList", "taskList"]);

/** The blocks between two places that can be moved together. */
export function blocksAt($from: ResolvedPos, $to: ResolvedPos = $from): NodeRange | null {
  return $from.blockRange($to, ({ type }) => HOLDERS.has(type.name));
}

export function moveBlocks(state: EditorState, range: NodeRange, by: -1 | 1): Transaction | null {
  const { parent, startIndex, endIndex, start, end } = range;
  const other = by < 0 ? parent.maybeChild(startIndex - 1) : parent.maybeChild(endIndex);
  if (other == null) return null;
  const transaction = state.tr;
  const blocks = transaction.doc.slice(start, end);
  const target = by < 0 ? start - other.nodeSize : start + other.nodeSize;
  transaction.delete(start, end).insert(target, blocks.content);
  const { selection } = state;
  const moved = target - start;
  if (selection instanceof NodeSelection) transaction.setSelection(NodeSelection.create(transaction.doc, selection.from + moved));
  else transaction.setSelection(TextSelection.between(transaction.doc.resolve(selection.anchor + moved), transaction.doc.resolve(selection.head + moved)));
  return transaction.scrollIntoView();
}

export function duplicateBlocks(state: EditorState, { start, end }: NodeRange): Transaction {
  const { content } = state.doc.slice(start, end);
  const transaction = state.tr.insert(end, content);
  return transaction.setSelection(Selection.near(transaction.doc.resolve(end + 1))).scrollIntoView();
}

export function deleteBlocks(state: EditorState, { start, end, parent, startIndex, endIndex, $from, depth }: NodeRange): Transaction {
  // A list without items goes too, and a text always has a line.
  const whole = startIndex === 0 && endIndex === parent.childCount;
  if (whole && parent.type.name === "doc") return state.tr.replaceWith(start, end, state.schema.nodes["paragraph"]?.create() as Node);
  return whole ? state.tr.delete($from.before(depth), $from.after(depth)) : state.tr.delete(start, end);
}

/** Moves what is selected, or the block with the caret. At an end there is nowhere to go. */
export function moveSelected({ state, view }: Editor, by: -1 | 1): void {
  const { $from, $to } = state.selection;
  const range = blocksAt($from, $to);
  const transaction = range === null ? null : moveBlocks(state, range, by);
  if (transaction !== null) view.dispatch(transaction);
}
