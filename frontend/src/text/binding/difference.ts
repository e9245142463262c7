// What to take away from one string and what to put in to have the other, with as much left in its place as there can be.
// Where equal letters leave a choice, the change is where the caret says, and where the fewest boundaries change.
import { partsOf } from "./common";

/** Of the old string to keep or to take away, or of the new one to put in: how many code units. */
export type Edit = { readonly kind: "keep" | "remove" | "insert"; readonly length: number };

export interface Hints {
  /** Where the caret is in the new string. */
  readonly caret: number | null;
  /** How many boundaries have to be written if the old string from `was` is the new one from `is`. */
  readonly cost: (was: number, is: number, length: number) => number;
  readonly isBoundary: (is: number) => boolean;
}

/** What is known to have stayed: places in the old string and in the new one, in order. */
export type Pair = readonly [was: number, is: number];

/** The same where it is known what stayed. What was replaced by something else is another thing, even if letters are equal. */
export function differenceBetween(old: string, now: string, pairs: readonly Pair[], hints: Pick<Hints, "cost">): readonly Edit[] {
  const edits: Edit[] = [];
  let [removed, inserted] = [0, 0];
  // What came in one place comes in one piece: else what others write there at the same moment would come in between.
  const settle = (): void => {
    if (removed > 0) edits.push({ kind: "remove", length: removed });
    if (inserted > 0) edits.push({ kind: "insert", length: inserted });
    [removed, inserted] = [0, 0];
  };
  const add = ({ kind, length }: Edit): void => {
    if (kind === "remove") removed += length;
    else if (kind === "insert") inserted += length;
    else if (length > 0) {
      settle();
      const last = edits.at(-1);
      if (last?.kind === "keep") edits[edits.length - 1] = { kind, length: last.length + length };
      else edits.push({ kind, length });
    }
  };
  let [was, is] = [0, 0];
  for (const [nextWas, nextIs] of [...pairs, [old.length, now.length] as const]) {
    for (const edit of replaced(old.slice(was, nextWas), now.slice(is, nextIs))) add(edit);
    if (nextWas < old.length) add({ kind: "keep", length: 1 });
    [was, is] = [nextWas + 1, nextIs + 1];
  }
  settle();
  return withTheirBoundaries(edits, old, now, hints);
}

/** Letter and digit: what words are made of. Then one of anything else, with what belongs to it. */
const WORDS = /[\p{L}\p{N}\p{M}_]+|[\ud800-\udbff][\udc00-\udfff]|[^]/gu;
const OF_WORDS = /[\p{L}\p{N}]/u;
const OBJECT = /[\ufdd0\ue000-\uf8ff]/;

/** Of words that were replaced, those stay that are the same as whole words: somebody's command wrote them anew. */
function replaced(old: string, now: string): Edit[] {
  if (old === now) return [{ kind: "keep", length: old.length }];
  if (old === "" || now === "") return [{ kind: "remove", length: old.length }, { kind: "insert", length: now.length }];
  const names = new Map<string, string>();
  const named = (text: string): { readonly words: readonly string[]; readonly codes: string } => {
    const words = text.match(WORDS) ?? [];
    // So many different words there are only where nobody will write beside them at the same moment.
    const codes = words.map((word) => {
      const code = names.get(word) ?? String.fromCharCode(Math.min(names.size, 0xd7ff));
      names.set(word, code);
      return code;
    });
    return { words, codes: codes.join("") };
  };
  const [before, behind] = [named(old), named(now)];
  if (before.words.length * behind.words.length > MANY) return byBlocks(old, now);
  const edits: Edit[] = [];
  let [was, is] = [0, 0];
  for (const [kind, codes] of partsOf(before.codes, behind.codes)) {
    const [one, other] = [before.words.slice(was, was + codes.length).join(""), behind.words.slice(is, is + codes.length).join("")];
    if (kind === "remove") edits.push({ kind: "remove", length: one.length });
    else if (kind === "insert") edits.push({ kind: "insert", length: other.length });
    else if (one === other && OF_WORDS.test(one)) edits.push({ kind: "keep", length: one.length });
    // Signs between words that went are not the signs between those that came; a boundary is one as good as another.
    else for (const unit of one === other ? one : "") edits.push(...(OBJECT.test(unit) ? [{ kind: "keep", length: 1 } as const] : [{ kind: "remove", length: unit.length } as const, { kind: "insert", length: unit.length } as const]));
    if (kind === "keep" && one !== other) edits.push({ kind: "remove", length: one.length }, { kind: "insert", length: other.length });
    if (kind !== "insert") was += codes.length;
    if (kind !== "remove") is += codes.length;
  }
  return edits;
}

/** A block that has words keeps its own boundary when an empty one comes or goes before it. */
function withTheirBoundaries(edits: readonly Edit[], old: string, now: string, { cost }: Pick<Hints, "cost">): readonly Edit[] {
  const all = [...edits];
  let [was, is] = [0, 0];
  all.forEach(({ kind, length }, at) => {
    const [before, behind] = [all[at - 1], all[at + 1]];
    const [text, start] = kind === "remove" ? [old, was] : [now, is];
    if (kind !== "keep" && before?.kind === "keep" && behind?.kind === "keep" && text[start - 1] === BOUNDARY && text[start + length - 1] === BOUNDARY && old[was + (kind === "remove" ? length : 0)] !== BOUNDARY) {
      const [then, otherwise] = kind === "remove" ? [cost(was - 1, is - 1, 1), cost(was - 1 + length, is - 1, 1)] : [cost(was - 1, is - 1, 1), cost(was - 1, is - 1 + length, 1)];
      if (otherwise <= then) {
        all[at - 1] = { kind: "keep", length: before.length - 1 };
        all[at + 1] = { kind: "keep", length: behind.length + 1 };
        was -= 1;
        is -= 1;
      }
    }
    if (kind !== "insert") was += all[at]?.length ?? 0;
    if (kind !== "remove") is += all[at]?.length ?? 0;
  });
  return all.filter(({ length }) => length > 0);
}

const BOUNDARY = "\ufdd0";

/** Above this many pairs of code units a stretch is compared block by block. */
const MANY = 4e6;

export function difference(old: string, now: string, hints: Hints): readonly Edit[] {
  let prefix = 0;
  const most = Math.min(old.length, now.length);
  while (prefix < most && old[prefix] === now[prefix]) prefix += 1;
  if (prefix === old.length && prefix === now.length) return [{ kind: "keep", length: prefix }];
  if (splitsPair(old, prefix) || splitsPair(now, prefix)) prefix -= 1;
  let suffix = 0;
  while (suffix < most - prefix && old[old.length - 1 - suffix] === now[now.length - 1 - suffix]) suffix += 1;
  if (suffix > 0 && (splitsPair(old, old.length - suffix) || splitsPair(now, now.length - suffix))) suffix -= 1;
  const [removed, inserted] = [old.length - prefix - suffix, now.length - prefix - suffix];
  if (removed === 0 || inserted === 0) {
    const start = slid(old, now, prefix, removed, inserted, hints);
    return [
      { kind: "keep", length: start },
      { kind: removed > 0 ? "remove" : "insert", length: removed + inserted },
      { kind: "keep", length: old.length - removed - start },
    ];
  }
  const [before, behind] = [old.slice(prefix, old.length - suffix), now.slice(prefix, now.length - suffix)];
  return [{ kind: "keep", length: prefix }, ...(removed * inserted > MANY ? byBlocks(before, behind) : byLetters(before, behind)), { kind: "keep", length: suffix }];
}

const splitsPair = (text: string, at: number): boolean => at > 0 && at < text.length && isHigh(text, at - 1) && isLow(text, at);
const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800;
const isLow = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00;

/** Where the one stretch that came or went begins: it may as well begin earlier, as long as letters are equal. */
function slid(old: string, now: string, start: number, removed: number, inserted: number, { caret, cost, isBoundary }: Hints): number {
  const [text, length] = removed > 0 ? [old, removed] : [now, inserted];
  let room = 0;
  while (room < start && text[start - 1 - room] === text[start - 1 - room + length]) room += 1;
  if (room === 0) return start;
  // The end of what came is where the caret is now, and so is the start of what went. A caret at the start of a block
  // that was there before stays in it: what came or went stands before its boundary.
  const ofCaret = caret === null ? [] : [isBoundary(caret - 1) ? caret - 1 : null, caret].flatMap((at) => (at === null ? [] : [removed > 0 ? at : at - length]));
  const candidates = [...ofCaret, start, start - room].filter((at) => at <= start && at >= start - room && !splitsPair(text, at) && !splitsPair(text, at + length));
  let best = start;
  let least = Infinity;
  for (const at of candidates) {
    const moved = start - at;
    // Behind the change lies what, at the latest place, would lie before it.
    const price = cost(removed > 0 ? at + length : at, removed > 0 ? at : at + length, moved) + cost(start - room, start - room, room - moved);
    if (price < least) [best, least] = [at, price];
  }
  return best;
}

function byLetters(old: string, now: string): Edit[] {
  return partsOf(old, now).map(([kind, text]) => ({ kind, length: text.length }));
}

const BEFORE_BOUNDARY = /(?=\ufdd0)/;

/** Blocks that are the same whole stay; between them, letters are compared where that is not too much. */
function byBlocks(old: string, now: string): Edit[] {
  const names = new Map<string, string>();
  const named = (text: string): { readonly parts: readonly string[]; readonly codes: string } => {
    const parts = text.split(BEFORE_BOUNDARY);
    const codes = parts.map((part) => {
      const code = names.get(part) ?? String.fromCharCode(Math.min(names.size, 0xd7ff));
      names.set(part, code);
      return code;
    });
    return { parts, codes: codes.join("") };
  };
  const [before, behind] = [named(old), named(now)];
  const edits: Edit[] = [];
  let [was, is] = [0, 0];
  let [gone, come] = ["", ""];
  const flush = (): void => {
    if (gone.length * come.length > 0 && gone.length * come.length <= MANY) edits.push(...byLetters(gone, come));
    else edits.push({ kind: "remove", length: gone.length }, { kind: "insert", length: come.length });
    [gone, come] = ["", ""];
  };
  for (const [kind, codes] of partsOf(before.codes, behind.codes)) {
    for (let at = 0; at < codes.length; at++) {
      if (kind === "remove") gone += before.parts[was++] ?? "";
      else if (kind === "insert") come += behind.parts[is++] ?? "";
      else {
        const [one, other] = [before.parts[was++] ?? "", behind.parts[is++] ?? ""];
        if (one !== other) {
          gone += one;
          come += other;
          continue;
        }
        flush();
        edits.push({ kind: "keep", length: one.length });
      }
    }
  }
  flush();
  return edits.filter(({ length }) => length > 0);
}
