// The shared data knows no moving: what is moved is taken away in one place and put in in another. Here it is found again, by
// how it reads. Pure.
import { Map as YMap } from "yjs";
import { BEGIN, core, lettersOf, OBJECT } from "./letters";
import { isInline } from "./model";
import type { Delta, Kept, Line } from "./sequence";

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
  if (!change.some((one) => one.delete !== undefined) || !change.some((one) => one.insert !== undefined)) return { gone, come };
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
