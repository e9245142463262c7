// Characters of the sequence by the numbers that they keep wherever they stand.
import type { Text as YText } from "yjs";

/** Characters with numbers that follow each other. */
export interface Stretch {
  readonly client: number;
  readonly clock: number;
  readonly length: number;
}

export interface Carried extends Stretch {
  readonly to: { readonly client: number; readonly clock: number };
  /** Where what undo put in began, one's own numbers, if it is that. */
  readonly since?: number;
}

/** What stands in a stretch of the sequence, by number. */
export function stretches(text: YText, from: number, length: number): readonly Stretch[] {
  const found: Stretch[] = [];
  let at = 0;
  for (let item = text._start; item !== null && at < from + length; item = item.right) {
    if (item.deleted || !item.countable) continue;
    const [start, end] = [Math.max(from - at, 0), Math.min(from + length - at, item.length)];
    if (start < end) found.push({ client: item.id.client, clock: item.id.clock + start, length: end - start });
    at += item.length;
  }
  return found;
}
