// The shared data knows no moving: what is moved is taken away in one place and put in in another. Here it is found again, by
// how it reads. Pure.
import { Map as YMap } from "yjs";
import { BEGIN, core, lettersOf, OBJECT } from "./letters";
import { isInline } from "./model";
import { type Delta, joinedKept, type Kept, type Line } from "./sequence";

interface Part {
  readonly at: number;
  letters: string;
}

/** What is moved may have been written in meanwhile, in so many places less one. */
const MOST_PARTS = 8;

/** A change of more parts is many that come at once, from somebody who was away. */
const MANY = 200;

/**
 * Where places are that a change takes away, and puts in somewhere else, if that is the only thing there that reads so. What
 * was written in between them by somebody else, whom the mover had not heard, stays where it was.
 */
export function keptAlong(lines: readonly Line[], change: Delta): readonly Kept[] {
  if (change.length > MANY) return [];
  if (!change.some((one) => one.delete !== undefined) || !change.some((one) => one.insert !== undefined)) return [];
  const { gone, come } = partsOf(lines, change);
  const only = onlyOnes(come);
  const found = new Map<Part, readonly Kept[] | null>();
  gone.forEach((_, first) => {
    let letters = "";
    for (let end = first; end < Math.min(gone.length, first + MOST_PARTS); end++) {
      letters += gone[end]?.letters ?? "";
      const there = only.get(core(letters).letters) ?? null;
      // With a part that says only where blocks begin at an end, it is the same once more.
      if (there === null || core(gone[first]?.letters ?? "").letters === "" || core(gone[end]?.letters ?? "").letters === "") continue;
      found.set(there, found.has(there) ? null : placed(gone.slice(first, end + 1), there));
    }
  });
  return [...found.values()].flatMap((kept) => kept ?? []).sort((one, other) => one.was - other.was);
}

/** What one change of several sequences does to one of them. */
export interface RootChange {
  readonly root: string;
  readonly lines: readonly Line[];
  readonly change: Delta;
}

/** A stretch that was taken out of one sequence and put into another. */
export interface Across extends Kept {
  readonly root: string;
  readonly to: string;
}

/** A stretch of letters, each with its place. */
interface Letters {
  readonly root: string;
  readonly letters: string;
  readonly places: readonly number[];
}

/**
 * The same between sequences, as words go from cell to cell where cells are merged: what was the whole of one is then some
 * blocks of the other, or the other way round where that is undone. Of several that read the same, each is one, in order, if
 * there are as many as were taken away.
 */
export function keptAcross(changes: readonly RootChange[]): readonly Across[] {
  if (changes.length < 2 || changes.some(({ change }) => change.length > MANY)) return [];
  const parts = changes.map(({ root, lines, change }) => ({ root, ...partsOf(lines, change) }));
  const gone = parts.flatMap(({ root, gone: all }) => all.flatMap((_, first) => all.slice(first, first + MOST_PARTS).map((_one, more) => lettersIn(root, all.slice(first, first + more + 1)))));
  const come = parts.flatMap(({ root, come: all }) => all.map((part) => lettersIn(root, [part])));
  const found: Across[] = [];
  const taken = [new Set<string>(), new Set<string>()] as const;
  const free = (one: Letters, side: 0 | 1): boolean => !one.places.some((place) => taken[side].has(`${one.root} ${place}`));
  /** Whole ones of the one side somewhere in the other. */
  const match = (wholes: readonly Letters[], others: readonly Letters[], side: 0 | 1): void => {
    const byLetters = new Map<string, Letters[]>();
    for (const whole of wholes) {
      const { letters, before } = core(whole.letters);
      if (letters !== "") byLetters.set(letters, [...(byLetters.get(letters) ?? []), clip(whole, before, letters.length)]);
    }
    for (const [letters, all] of [...byLetters].sort(([one], [other]) => other.length - one.length)) {
      const mine = all.filter((one) => free(one, side));
      const theirs = others.flatMap((other) => (mine.some(({ root }) => root !== other.root) ? occurrences(other, letters) : [])).filter((one) => free(one, side === 0 ? 1 : 0));
      const unique = theirs.filter((one, at) => theirs.findIndex((before) => before.root === one.root && before.places[0] === one.places[0]) === at);
      if (unique.length !== mine.length) continue;
      mine.forEach((one, at) => {
        const other = unique[at];
        if (other === undefined || other.root === one.root) return;
        const [was, is] = side === 0 ? [one, other] : [other, one];
        for (const place of was.places) taken[0].add(`${was.root} ${place}`);
        for (const place of is.places) taken[1].add(`${is.root} ${place}`);
        found.push(...acrossOf(was, is));
      });
    }
  };
  match(gone, come, 0);
  match(come, gone, 1);
  return found;
}

const lettersIn = (root: string, parts: readonly Part[]): Letters => ({
  root,
  letters: parts.map(({ letters }) => letters).join(""),
  places: parts.flatMap(({ at, letters }) => Array.from({ length: letters.length }, (_, offset) => at + offset)),
});

const clip = ({ root, places, letters }: Letters, from: number, length: number): Letters => ({ root, letters: letters.slice(from, from + length), places: places.slice(from, from + length) });

/** Where it is all of some blocks. */
function occurrences(all: Letters, letters: string): readonly Letters[] {
  const found: Letters[] = [];
  for (let at = all.letters.indexOf(letters); at >= 0; at = all.letters.indexOf(letters, at + 1)) {
    const [before, behind] = [all.letters[at - 1] ?? BEGIN, all.letters[at + letters.length] ?? BEGIN];
    if (before === BEGIN && behind === BEGIN) found.push(clip(all, at, letters.length));
  }
  return found;
}

function acrossOf({ root, places: from }: Letters, { root: to, places }: Letters): readonly Across[] {
  return joinedKept(from.map((was, at) => ({ was, is: places[at] ?? 0, length: 1 }))).map((kept) => ({ root, to, ...kept }));
}

function placed(gone: readonly Part[], come: Part): readonly Kept[] {
  const letters = gone.map((part) => part.letters).join("");
  let is = come.at + core(come.letters).before - core(letters).before;
  return gone.map(({ at, letters: { length } }): Kept => {
    const from = Math.max(come.at - is, 0);
    const kept = { was: at + from, is: is + from, length: Math.min(length, come.at + come.letters.length - is) - from };
    is += length;
    return kept;
  });
}

function partsOf(lines: readonly Line[], change: Delta): { readonly gone: readonly Part[]; readonly come: readonly Part[] } {
  const gone: Part[] = [];
  const come: Part[] = [];
  let [was, is] = [0, 0];
  let last: Part | null = null;
  for (const { insert, retain, delete: removed } of change) {
    if (retain !== undefined) {
      was += retain;
      is += retain;
      last = null;
    } else if (removed !== undefined) {
      gone.push({ at: was, letters: lettersOf(lines, was, was + removed) });
      was += removed;
    } else {
      const letters = typeof insert === "string" ? insert : insert instanceof YMap && !isInline(typeOf(insert)) ? BEGIN : OBJECT;
      if (last === null) come.push((last = { at: is, letters }));
      else last.letters += letters;
      is += letters.length;
    }
  }
  return { gone, come };
}

/** By how they read; `null` where several read so. */
function onlyOnes(parts: readonly Part[]): ReadonlyMap<string, Part | null> {
  const found = new Map<string, Part | null>();
  for (const part of parts) {
    const { letters } = core(part.letters);
    if (letters !== "") found.set(letters, found.has(letters) ? null : part);
  }
  return found;
}

/** Of an object that is nobody's yet, Yjs tells nothing itself. */
function typeOf(made: YMap<unknown>): unknown {
  const { _prelimContent: told } = made as unknown as { readonly _prelimContent: ReadonlyMap<string, unknown> | null };
  return told === null ? made.get("type") : told.get("type");
}
