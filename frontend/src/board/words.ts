// Words on a board that several people write at once: what one of them changed, found and carried over to what the words
// have become meanwhile.
import diff from "fast-diff";

/** At a place of the words as they were, these go and those come. */
export interface Edit {
  readonly index: number;
  readonly remove: number;
  readonly insert: string;
}

/** What makes one the other, from the front to the back, letter by letter: what stays is in none of the edits. */
export function editsBetween(from: string, to: string): readonly Edit[] {
  const edits: Edit[] = [];
  let index = 0;
  for (const [kind, part] of diff(from, to)) {
    if (kind === diff.INSERT) edits.push({ index, remove: 0, insert: part });
    else {
      if (kind === diff.DELETE) edits.push({ index, remove: part.length, insert: "" });
      index += part.length;
    }
  }
  return edits;
}

/**
 * What `theirs` becomes when the change from `base` to `ours` is made in it too. Both keep what they wrote: only what was
 * in `base` is ever taken away, and of two who wrote at the same place, ours stands behind theirs.
 */
export function carried(base: string, ours: string, theirs: string): string {
  if (theirs === base || ours === theirs) return ours;
  if (ours === base) return theirs;
  const inserted: string[] = Array.from({ length: base.length + 1 }, () => "");
  const kept = Array.from({ length: base.length }, () => true);
  for (const { index, remove, insert } of [...editsBetween(base, theirs), ...editsBetween(base, ours)]) {
    inserted[index] += insert;
    kept.fill(false, index, index + remove);
  }
  return inserted.map((words, at) => words + (kept[at] === true ? base.charAt(at) : "")).join("");
}

/** Where a caret is after the edits that was there before them. What comes in right at it stands behind it. */
export function caretAfter(edits: readonly Edit[], caret: number): number {
  return edits.reduce((at, { index, remove, insert }) => (index < caret ? at + insert.length - Math.min(remove, caret - index) : at), caret);
}

/** Whether these are the same words, however they are broken into lines. */
export function sameWords(one: string, other: string): boolean {
  return one.replace(/\s+/g, "") === other.replace(/\s+/g, "");
}
