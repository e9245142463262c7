// What an editor needs to follow the sequences from one reading to the next: which of its places are the same, and where
// one's own selection is now.
import { type EditorState, NodeSelection, TextSelection, type Transaction } from "@tiptap/pm/state";
import type { Anchor } from "./apply";
import { core, lettersOf } from "./letters";
import type { Reading } from "./read";
import { type Kept, lengthOf } from "./sequence";
import { linesIn } from "./sources";
import type { Place, Spot } from "./places";
import { joinedAt, lineAt, movedTo } from "./waiting";

/** What stayed of the sequences between one reading and the next, by root. Roots that are not in it stayed as they are. */
export type Stayed = ReadonlyMap<string, readonly Kept[]>;

/** Where a character that was there is now; `null` if it is gone. */
function now(stayed: Stayed, root: string, index: number): number | null {
  const kept = stayed.get(root);
  return kept === undefined ? index : movedTo(kept, index);
}

export function anchorsBetween(was: Reading, is: Reading, stayed: Stayed, from: number, to: number): readonly Anchor[] {
  const anchors: Anchor[] = [];
  for (const spot of was.index.spotsFrom(from)) {
    if (spot.at - 1 >= to) break;
    if (spot.boundary !== null) {
      const place = now(stayed, spot.root, spot.from - 1);
      const there = place === null ? null : is.index.begunAt(spot.root, place);
      // What opens there; of what holds nothing, what it is.
      if (there !== null && there.boundary === spot.boundary) anchors.push([opening(spot), opening(there)]);
    }
    if (!spot.node.isTextblock) continue;
    const hidden = new Set(spot.hidden);
    let position = spot.at;
    for (let index = spot.from; index < spot.to; index++) {
      if (hidden.has(index - spot.from)) continue;
      const place = now(stayed, spot.root, index);
      const there = place === null ? null : is.index.toDocument({ root: spot.root, index: place });
      // What is there and not seen has the same place as what comes behind it.
      if (there !== null && place !== null && is.index.isSeen(spot.root, place)) anchors.push([position, there]);
      position += 1;
    }
  }
  return anchors.filter(([oldAt]) => oldAt >= from && oldAt < to);
}

const opening = ({ node, at }: Spot): number => (node.isTextblock ? at - 1 : at);

/** One's own selection, between the same letters as before. */
export function select(transaction: Transaction, state: EditorState, was: Reading, is: Reading, stayed: Stayed, along: Stayed): void {
  const { selection } = state;
  const { doc } = transaction;
  const moved = (position: number): number | null => {
    const place = was.index.toSequence(position);
    if (place === null) return null;
    const before = place.index > 0 ? movedTo(along.get(place.root) ?? [], place.index - 1) : null;
    const there = before !== null ? before + 1 : carried(was, is, stayed, place);
    if (there !== null) return is.index.toDocument({ root: place.root, index: there });
    // Behind the letter, or the boundary, that it stood behind; if that is gone, behind what was before it in its line.
    const start = lineAt(linesIn(was.index.sequences, place.root), place.index - 1);
    for (let index = place.index - 1; index >= start; index--) {
      const there = now(stayed, place.root, index);
      if (there !== null) return is.index.toDocument({ root: place.root, index: there + 1 });
    }
    const kept = stayed.get(place.root) ?? [];
    return is.index.toDocument({ root: place.root, index: joinedAt(kept, start, linesIn(is.index.sequences, place.root)) });
  };
  if (selection instanceof TextSelection) {
    const [anchor, head] = [moved(selection.anchor), moved(selection.head)];
    if (anchor === null || head === null) return;
    const next = TextSelection.between(doc.resolve(anchor), doc.resolve(head));
    if (!next.eq(transaction.selection)) transaction.setSelection(next);
  } else if (selection instanceof NodeSelection && selection.node.isInline) {
    const place = was.index.toSequence(selection.from);
    const there = place === null ? null : now(stayed, place.root, place.index);
    const at = there === null || place === null ? null : is.index.toDocument({ root: place.root, index: there });
    if (at !== null && doc.nodeAt(at)?.type === selection.node.type) transaction.setSelection(NodeSelection.create(doc, at));
  }
}

/**
 * Where a place is whose block was moved, or where what was written there was carried over to: what was taken away around it
 * was put in somewhere else in the same change, and only there.
 */
function carried(was: Reading, is: Reading, stayed: Stayed, { root, index }: Place): number | null {
  const kept = stayed.get(root);
  if (kept === undefined || index === 0 || movedTo(kept, index - 1) !== null) return null;
  const [before, now] = [linesIn(was.index.sequences, root), linesIn(is.index.sequences, root)];
  const next = kept.findIndex((one) => one.was >= index);
  const last = kept[(next < 0 ? kept.length : next) - 1];
  const from = last === undefined ? 0 : last.was + last.length;
  const gone = core(lettersOf(before, from, kept[next]?.was ?? lengthOf(before)));
  const offset = index - from - gone.before;
  if (gone.letters === "" || offset < 0 || offset > gone.letters.length) return null;
  let start = 0;
  const found: number[] = [];
  for (const one of [...kept, { is: lengthOf(now), length: 0 }]) {
    const come = core(lettersOf(now, start, one.is));
    if (come.letters === gone.letters) found.push(start + come.before + offset);
    start = one.is + one.length;
  }
  const [only] = found;
  return only === undefined || found.length > 1 ? null : only;
}
