// A row or a column of a table one place on. prosemirror-tables moves a row by filling each row with the cells of another;
// here the row itself moves, so that it stays the one it was for whoever writes in it. The caret goes along with its cell.
import { createChainableState } from "@tiptap/core";
import type { Node, ResolvedPos } from "@tiptap/pm/model";
import { type Command, type EditorState, NodeSelection, type Selection, TextSelection, type Transaction } from "@tiptap/pm/state";
import { cellAround, CellSelection, moveTableColumn, TableMap } from "@tiptap/pm/tables";

/** `inside` is a place in a cell of it. Where a merged cell would be torn, nothing happens. */
export function moveRow(inside: number, by: -1 | 1): Command {
  return (state, dispatch) => {
    const $cell = cellAround(state.doc.resolve(inside));
    if ($cell === null) return false;
    const table = $cell.node(-1);
    const at = $cell.index(-1);
    const [row, other] = [table.child(at), table.maybeChild(at + by)];
    const map = TableMap.get(table);
    const edges = [Math.min(at, at + by), Math.min(at, at + by) + 1, Math.min(at, at + by) + 2];
    const isTorn = edges.some((edge) => edge > 0 && edge < map.height && Array.from({ length: map.width }, (_, column) => column).some((column) => map.map[(edge - 1) * map.width + column] === map.map[edge * map.width + column]));
    if (other === null || isTorn) return false;
    if (dispatch) {
      const start = $cell.before($cell.depth);
      const target = by < 0 ? start - other.nodeSize : start + other.nodeSize;
      const transaction = entered(state, $cell, inside);
      const { selection } = transaction;
      transaction.delete(start, start + row.nodeSize).insert(target, row);
      const end = start + row.nodeSize;
      const passed = [Math.min(target, start), Math.max(end, target + row.nodeSize)] as const;
      select(transaction, selection, (place) => (place < passed[0] || place >= passed[1] ? place : place >= start && place < end ? place + target - start : place - by * row.nodeSize));
      dispatch(transaction);
    }
    return true;
  };
}

export function moveColumn(inside: number, by: -1 | 1): Command {
  return (state, dispatch) => {
    const $cell = cellAround(state.doc.resolve(inside));
    if ($cell === null) return false;
    const map = TableMap.get($cell.node(-1));
    const from = map.colCount($cell.pos - $cell.start(-1));
    const to = from + by;
    if (to < 0 || to >= map.width) return false;
    const transaction = entered(state, $cell, inside);
    const { selection, doc } = transaction;
    // It looks for the columns in the table that the caret is in.
    const isMoved = moveTableColumn({ from, to, pos: inside, select: false })(createChainableState({ state, transaction }), () => undefined);
    if (isMoved && dispatch) {
      select(transaction, selection, (place) => inSameCell(doc.resolve(place), transaction.doc));
      dispatch(transaction);
    }
    return isMoved;
  };
}

/** The caret goes where the handle stands, unless it is in that very cell, or several are selected there. */
function entered(state: EditorState, $cell: ResolvedPos, inside: number): Transaction {
  const { selection } = state;
  const end = $cell.pos + ($cell.nodeAfter?.nodeSize ?? 0);
  const isThere = selection instanceof CellSelection ? selection.ranges.some(({ $from }) => $from.pos > $cell.pos && $from.pos < end) : selection.from > $cell.pos && selection.to < end;
  return isThere ? state.tr : state.tr.setSelection(TextSelection.near(state.doc.resolve(inside)));
}

function select(transaction: Transaction, selection: Selection, there: (place: number) => number): void {
  const { doc } = transaction;
  const at = ({ pos }: ResolvedPos): number => there(pos);
  if (selection instanceof CellSelection) transaction.setSelection(CellSelection.create(doc, at(selection.$anchorCell), at(selection.$headCell)));
  else if (selection instanceof NodeSelection) transaction.setSelection(NodeSelection.create(doc, at(selection.$from)));
  else transaction.setSelection(TextSelection.between(doc.resolve(at(selection.$anchor)), doc.resolve(at(selection.$head))));
}

/** A place in a cell, or right before it, after its column was moved: its row holds the same words somewhere. */
function inSameCell($place: ResolvedPos, doc: Node): number {
  const { pos } = $place;
  const $cell = $place.parent.type.spec.tableRole === "row" ? $place : cellAround($place);
  if ($cell === null) return pos;
  const before = $cell.before();
  let at = before + 1;
  for (const cell of doc.nodeAt(before)?.children ?? []) {
    if (cell.content === $cell.nodeAfter?.content) return at + pos - $cell.pos;
    at += cell.nodeSize;
  }
  return pos;
}
