// What the editor shows while changes of others wait, because somebody composes a word there: which part of the sequences it
// is, and how both go on from there when something is written. Pure.
import type { Attributes } from "./model";
import { changed, type Delta, joinedKept, type Kept, lengthOf, type Line, runLength } from "./sequence";
import type { Operation } from "./write";

/** Everything is where it was. */
export const SAME: readonly Kept[] = [{ was: 0, is: 0, length: Infinity }];

/** Two changes one after the other, as one. */
export function composed(first: readonly Kept[], second: readonly Kept[]): readonly Kept[] {
  const all: Kept[] = [];
  for (const one of first) {
    for (const other of second) {
      const from = Math.max(one.is, other.was);
      const to = Math.min(one.is + one.length, other.was + other.length);
      if (from < to) all.push({ was: one.was + from - one.is, is: other.is + from - other.was, length: to - from });
    }
  }
  return all;
}

const back = (kept: readonly Kept[]): readonly Kept[] => inOrder(kept.map(({ was, is, length }) => ({ was: is, is: was, length })));

/** By where it was. What was moved may be in another order now. */
export function inOrder(kept: readonly Kept[]): readonly Kept[] {
  return [...kept].sort((one, other) => one.was - other.was);
}

/** Where something that was there is now; `null` if it is gone. */
export function movedTo(kept: readonly Kept[], index: number): number | null {
  // Asked for each letter of what has changed, and so by halves: they are in the order of where they were.
  let [from, to] = [0, kept.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((kept[middle]?.was ?? Infinity) <= index) from = middle + 1;
    else to = middle;
  }
  const one = kept[from - 1];
  return one === undefined || index >= one.was + one.length ? null : one.is + index - one.was;
}

/** Where the place behind what it stands behind is now; if that is gone, behind what is left before it. */
export function behindSame(kept: readonly Kept[], index: number): number {
  const before = kept.findLast(({ was }) => was < index);
  return before === undefined ? 0 : before.is + Math.min(before.length, index - before.was);
}

/**
 * Where a line begins whose boundary others took away: it goes on in the line before it, behind what was written on there
 * meanwhile. A word that somebody wrote there is not cut in two by what one writes oneself, and has not seen it.
 */
export function joinedAt(kept: readonly Kept[], from: number, now: readonly Line[]): number {
  const place = behindSame(kept, from);
  const next = kept.find(({ was, length }) => was >= from && length > 0)?.is ?? Infinity;
  return Math.max(place, Math.min(next, lineFrom(now, place)));
}

export const behindSameThen = (kept: readonly Kept[], index: number): number => behindSame(back(kept), index);

export interface Shown {
  readonly lines: readonly Line[];
  /** What of it is where in the sequence as it is. */
  readonly kept: readonly Kept[];
}

/**
 * What is shown after something was written in it. `operations` were made for what is shown, and `heard` is what came of
 * them in the sequence as it is; `null` if the two do not go together.
 */
export function written({ lines, kept }: Shown, operations: readonly Operation[], heard: Delta): Shown | null {
  const own = changed(lines, operations);
  const come = [insertsOf(operations), insertsOf(heard)] as const;
  if (come[0].length !== come[1].length) return null;
  const stayed = composed(back(own.kept), composed(kept, keptOf(heard)));
  const inserted = come[0].map((was, at): Kept => ({ was, is: come[1][at] ?? 0, length: 1 }));
  return { lines: own.lines, kept: joinedKept([...stayed, ...inserted].sort((one, other) => one.was - other.was)) };
}

/** And where that is which somebody moved while it was not shown. */
export function movedThen(along: readonly Kept[], operations: readonly Operation[], heard: Delta): readonly Kept[] {
  return composed(back(keptOf(operations)), composed(along, keptOf(heard)));
}

/** The places of what a change puts in, in what it makes. */
export function insertsOf(delta: Delta): readonly number[] {
  const places: number[] = [];
  let at = 0;
  for (const { insert, retain } of delta) {
    const length = insert === undefined ? (retain ?? 0) : typeof insert === "string" ? insert.length : 1;
    if (insert !== undefined) for (let offset = 0; offset < length; offset++) places.push(at + offset);
    at += length;
  }
  return places;
}

export function keptOf(delta: Delta): readonly Kept[] {
  const kept: Kept[] = [];
  let [was, is] = [0, 0];
  for (const { insert, retain, delete: removed } of delta) {
    if (insert !== undefined) is += typeof insert === "string" ? insert.length : 1;
    else if (retain !== undefined) {
      kept.push({ was, is, length: retain });
      was += retain;
      is += retain;
    } else was += removed ?? 0;
  }
  return [...kept, { was, is, length: Infinity }];
}

/** Letters that were there once, and where they are to stand in the sequence as it is. */
export interface Missing {
  readonly was: number;
  readonly length: number;
  readonly at: number;
  readonly operation: { readonly insert: string; readonly attributes: Attributes };
}

/** What is not in the sequence any more of the letters between two places in what is shown. */
export function missing({ lines, kept }: Shown, from: number, to: number): readonly Missing[] {
  const all: Missing[] = [];
  for (let was = from; was < to; was++) {
    if (movedTo(kept, was) !== null) continue;
    let end = was + 1;
    while (end < to && movedTo(kept, end) === null) end += 1;
    const [before, behind] = [was > from ? movedTo(kept, was - 1) : null, end < to ? movedTo(kept, end) : null];
    const at = before !== null ? before + 1 : (behind ?? behindSame(kept, was));
    all.push(...textsOf(lines, was, end).map((part) => ({ ...part, at })));
    was = end;
  }
  return all.sort((one, other) => one.at - other.at);
}

function textsOf(lines: readonly Line[], from: number, to: number): readonly Omit<Missing, "at">[] {
  let was = from;
  return changed(lines, [{ delete: from }, { retain: to - from }, { delete: lengthOf(lines) - to }]).lines.flatMap(({ boundary, runs }) => {
    was += boundary === null ? 0 : 1;
    return runs.flatMap((run) => {
      const length = runLength(run);
      was += length;
      return "text" in run ? [{ was: was - length, length, operation: { insert: run.text, attributes: run.attributes } }] : [];
    });
  });
}

export interface Held extends Shown {
  /** What of that which was shown is where in what is shown now. */
  readonly stayed: readonly Kept[];
  /** Whether something waits. */
  readonly waits: boolean;
}

/**
 * What others made of a sequence, but for the lines between two places in what is shown: those stay as they are. `null`
 * where that cannot be, because something else has become a part of them.
 */
export function holding({ lines, kept }: Shown, now: readonly Line[], [from, to]: readonly [number, number]): Held | null {
  // What others wrote before words that no boundary begins has become a part of them.
  const first = from === 0 && lines[0]?.boundary === null ? 0 : movedTo(kept, from);
  const [start, whole] = [first ?? joinedAt(kept, from, now), lengthOf(now)];
  const inside = kept.flatMap(({ was, is, length }): Kept[] => {
    const [a, b] = [Math.max(was, from), Math.min(was + length, to, whole - is + was)];
    return a < b ? [{ was: a, is: is + a - was, length: b - a }] : [];
  });
  const last = inside.at(-1);
  const end = lineFrom(now, last === undefined ? start : last.is + last.length);
  if (kept.some(({ was, is, length }) => (was + length > to && is + Math.max(0, to - was) < end) || (was < from && is + Math.min(length, from - was) > start))) return null;
  const held = linesBetween(lines, from, to);
  const before = changed(now, [{ retain: start }, { delete: whole - start }]).lines;
  const behind = changed(now, [{ delete: end }]).lines;
  const long = to - from;
  const there = linesBetween(now, start, end);
  const shifted = start + long - end;
  return {
    lines: [...before, ...held, ...behind],
    kept: joinedKept([{ was: 0, is: 0, length: start }, ...inside.map(({ was, is, length }) => ({ was: start + was - from, is, length })), { was: start + long, is: end, length: Infinity }]),
    stayed: joinedKept([
      ...clipped(kept, (was) => was < from, from, -Infinity),
      { was: from, is: start, length: long },
      ...clipped(kept, () => true, Infinity, to).map(({ was, is, length }) => ({ was, is: is + shifted, length })),
    ]),
    waits: held.length !== there.length || held.some((line, at) => line !== there[at]),
  };
}

function clipped(kept: readonly Kept[], within: (was: number) => boolean, end: number, start: number): readonly Kept[] {
  return kept.flatMap(({ was, is, length }): Kept[] => {
    const [a, b] = [Math.max(was, start), Math.min(was + length, end)];
    return a < b && within(a) ? [{ was: a, is: is + a - was, length: b - a }] : [];
  });
}

/** Where the first line begins that begins at or behind a place. */
function lineFrom(lines: readonly Line[], place: number): number {
  let at = 0;
  for (const { length } of lines) {
    if (at >= place) return at;
    at += length;
  }
  return at;
}

/** Where the line begins that a place is in. */
export function lineAt(lines: readonly Line[], place: number): number {
  let at = 0;
  for (const { length } of lines) {
    if (at + length > place) return at;
    at += length;
  }
  return at;
}

/** Both places are where lines begin or end, or there are none between them. */
function linesBetween(lines: readonly Line[], from: number, to: number): readonly Line[] {
  let at = 0;
  return lines.filter(({ length }) => {
    const start = at;
    at += length;
    return start >= from && at <= to && length > 0;
  });
}
