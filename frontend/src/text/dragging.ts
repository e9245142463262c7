// What is dragged within the text is what it has become by the time it is dropped. The editor keeps it as it was when the
// drag began, and takes away what is selected: what others wrote in it meanwhile would be gone, and a block that somebody
// made something else of would be there twice. Fetched when something is dragged.
import type { Editor } from "@tiptap/core";
import { dropCursor } from "@tiptap/pm/dropcursor";
import { Slice } from "@tiptap/pm/model";
import { NodeSelection, type PluginView, type Transaction } from "@tiptap/pm/state";
import { blocksAt } from "./move-blocks";

/** As the editor keeps it: with a `node` that is what moves, else what is selected. */
interface Dragging {
  readonly slice: Slice;
  readonly move: boolean;
  readonly node?: NodeSelection;
}

/** Somebody took it away: there is nothing to move, and nothing to put anywhere. */
const NOTHING: Dragging = { slice: Slice.empty, move: true, node: { from: Infinity, replace: () => undefined } as unknown as NodeSelection };

export function dragged(node: NodeSelection): Dragging {
  return { slice: node.content(), move: true, node };
}

/** The line that shows where it would be dropped, and that it stays what it is. */
export function whileDragged(editor: Editor): PluginView {
  const cursor = dropCursor({ color: false, width: 2, class: "drop-cursor" });
  const line = cursor.spec.view?.call(cursor, editor.view);
  const off = followDrags(editor);
  return {
    update: (...how) => line?.update?.(...how),
    destroy: () => {
      line?.destroy?.();
      off();
    },
  };
}

/** Returns the end of it. To do it twice does nothing more. */
export function followDrags(editor: Editor): () => void {
  const { view } = editor;
  /** The editor itself looks for the node of it, too, and lets go of one that has changed. */
  let held: Dragging | null = null;
  let news: Transaction[] = [];
  const begin = (): void => {
    held = view.dragging;
    news = [];
    // One that began before this was here may be another node by now.
    if (held?.node !== undefined && held.node.$from.doc !== view.state.doc) held = NOTHING;
    renew();
  };
  const onTransaction = ({ transaction, appendedTransactions }: { readonly transaction: Transaction; readonly appendedTransactions: readonly Transaction[] }): void => {
    if (view.dragging === null || held === null) return;
    const changes = [transaction, ...appendedTransactions].filter(({ docChanged }) => docChanged);
    news.push(...changes);
    if (changes.length > 0) renew();
  };
  const renew = (): void => {
    if (held === null) return;
    const { selection, doc } = view.state;
    if (held === NOTHING) news = [];
    else if (held.node === undefined) held = selection.empty ? NOTHING : { ...held, slice: selection.content() };
    else {
      // One that answers another is told of before it.
      let now: NodeSelection | null = held.node;
      for (let next = from(news, now); now !== null && next !== undefined; next = from(news, now)) now = after(now, next);
      if (now !== null && now.$from.doc !== doc) return;
      held = now === null ? NOTHING : dragged(now);
    }
    news = [];
    view.dragging = held;
  };
  // While something is dragged the pointer is not told of. Where a drag ends whose element is gone, nobody is told of that.
  const onPointer = (): void => {
    if (view.dragging !== null) view.dragging = null;
  };
  begin();
  editor.on("transaction", onTransaction);
  // After the editor itself, and the handle.
  document.addEventListener("dragstart", begin);
  document.addEventListener("pointermove", onPointer, { passive: true });
  return () => {
    editor.off("transaction", onTransaction);
    document.removeEventListener("dragstart", begin);
    document.removeEventListener("pointermove", onPointer);
  };
}

const from = (changes: readonly Transaction[], node: NodeSelection | null): Transaction | undefined => changes.find(({ before }) => before === node?.$from.doc);

/** The same node, whatever it is by now; in a list its item. `null` if it is not there any more. */
function after({ node, from: start }: NodeSelection, { mapping, doc }: Transaction): NodeSelection | null {
  const gone = node.isLeaf ? mapping.map(start, -1) === mapping.map(start + 1, 1) : mapping.mapResult(start + 1).deletedAcross;
  const at = mapping.map(start, node.isLeaf && mapping.mapResult(start).deletedAfter ? -1 : 1);
  const there = gone ? null : doc.nodeAt(at);
  if (there === null || there.isInline !== node.isInline) return null;
  return NodeSelection.create(doc, there.isInline ? at : (blocksAt(doc.resolve(at), doc.resolve(at + there.nodeSize))?.start ?? at));
}
