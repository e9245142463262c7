// From one document to the next by as few and as small steps as there can be, so that carets, selections, decorations and
// folded parts are mapped to where they belong: letters as letters, a type as a change of the node, containers as wrapping
// and lifting. Only what cannot be said so is built anew.
//
// Both documents are laid out as tokens: where a node opens, where it closes, letters. What is known to have stayed, by the
// sequence, is an anchor; between anchors the tokens are compared. A stretch that differs is one step if the nodes open at
// its end are as deep as before; where a container is put around something, the two stretches at its ends are one step.
import { type Node, Slice } from "@tiptap/pm/model";
import type { Transaction } from "@tiptap/pm/state";
import { ReplaceAroundStep, ReplaceStep, type Step } from "@tiptap/pm/transform";
import { differing } from "./window";

/** A token of the old document that is one of the new one: both are places where it begins. */
export type Anchor = readonly [was: number, is: number];

interface Edit {
  readonly was: number;
  readonly wasEnd: number;
  readonly is: number;
  readonly isEnd: number;
  /** How much deeper the new document is open behind it than the old one. */
  readonly deeper: number;
}

/** Finds the anchors in a part of the old document, in order. Those that do not fit count not. */
export type Anchors = (was: number, wasEnd: number) => readonly Anchor[];

/** Brings the transaction's document to `now`. Without anchors, tokens of the same kind from both ends are taken for the same. */
export function become(transaction: Transaction, now: Node, anchors: Anchors | null): void {
  const old = transaction.doc;
  if (old === now) return;
  const start = transaction.steps.length;
  const window = narrowed(old, now);
  if (window !== null) {
    try {
      const edits = editsOf(old, now, window, anchors === null ? byShape(old, now, window) : anchors(window.was, window.wasEnd));
      unmark(transaction, now, window, edits);
      perform(transaction, old, now, edits, 0);
      remark(transaction, now, window.is, window.isEnd);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  if (transaction.doc.eq(now)) return;
  // Nothing smaller would do.
  if (transaction.steps.length > start) overwrite(transaction, now);
  else if (window !== null) transaction.step(new ReplaceStep(window.was, window.wasEnd, now.slice(window.is, window.isEnd)));
  if (!transaction.doc.eq(now)) overwrite(transaction, now);
}

function overwrite(transaction: Transaction, now: Node): void {
  const { doc } = transaction;
  const from = doc.content.findDiffStart(now.content);
  const end = doc.content.findDiffEnd(now.content);
  if (from === null || end === null) return;
  // Equal stretches at both ends may overlap where something is repeated.
  const overlap = Math.max(0, from - Math.min(end.a, end.b));
  transaction.step(new ReplaceStep(from, end.a + overlap, now.slice(from, end.b + overlap)));
}

/** The part that differs, in both documents; it begins at the same place. */
interface Part {
  readonly was: number;
  readonly wasEnd: number;
  readonly is: number;
  readonly isEnd: number;
}

/** As deep inside as everything around it is the same. */
function narrowed(old: Node, now: Node): Part | null {
  let [one, other, at] = [old, now, 0];
  for (;;) {
    if (one.inlineContent) return { was: at, wasEnd: at + one.content.size, is: at, isEnd: at + other.content.size };
    const window = differing(one, other);
    if (window === null) return null;
    const { from, oldTo, newTo } = window;
    for (let child = 0; child < from; child++) at += one.child(child).nodeSize;
    const [inner, changed] = [one.maybeChild(from), other.maybeChild(from)];
    if (oldTo === from + 1 && newTo === from + 1 && inner != null && changed != null && inner.sameMarkup(changed) && !inner.isLeaf) {
      [one, other, at] = [inner, changed, at + 1];
      continue;
    }
    let [wasEnd, isEnd] = [at, at];
    for (let child = from; child < oldTo; child++) wasEnd += one.child(child).nodeSize;
    for (let child = from; child < newTo; child++) isEnd += other.child(child).nodeSize;
    return { was: at, wasEnd, is: at, isEnd };
  }
}

type Token = Node | string | null;

/** What stands at each place of a part: a node that opens there or is a leaf, a letter, or `null` where a node closes. */
function tokensOf(doc: Node, from: number, to: number): readonly Token[] {
  const tokens: Token[] = Array.from<Token>({ length: to - from }).fill(null);
  doc.nodesBetween(from, to, (node, position) => {
    if (node.text !== undefined) {
      for (let at = Math.max(position, from); at < Math.min(position + node.nodeSize, to); at++) tokens[at - from] = node.text[at - position] ?? "";
    } else if (position >= from && position < to) tokens[position - from] = node;
    return true;
  });
  return tokens;
}

const depthOf = (token: Token | undefined): number => (token === null ? -1 : typeof token === "object" && !token.isLeaf ? 1 : 0);

/** Without their marks, which are changed by themselves. */
function same(one: Token | undefined, other: Token | undefined): boolean {
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return one === other;
  return one.type === other.type && one.hasMarkup(other.type, other.attrs, one.marks);
}

function byShape(old: Node, now: Node, { was, wasEnd, is, isEnd }: Part): readonly Anchor[] {
  const [before, behind] = [tokensOf(old, was, wasEnd), tokensOf(now, is, isEnd)];
  const alike = (a: number, b: number): boolean => {
    const [one, other] = [before[a], behind[b]];
    return one === other || (typeof one === "object" && typeof other === "object" && one !== null && other !== null && one.type === other.type);
  };
  const most = Math.min(before.length, behind.length);
  let [prefix, suffix] = [0, 0];
  while (prefix < most && alike(prefix, prefix)) prefix += 1;
  while (suffix < most - prefix && alike(before.length - 1 - suffix, behind.length - 1 - suffix)) suffix += 1;
  const range = (from: number, to: number, wasFrom: number, isFrom: number): Anchor[] => Array.from({ length: to - from }, (_, at): Anchor => [wasFrom + at, isFrom + at]);
  return [...range(0, prefix, was, is), ...range(0, suffix, wasEnd - suffix, isEnd - suffix)];
}

function editsOf(old: Node, now: Node, { was, wasEnd, is, isEnd }: Part, anchors: readonly Anchor[]): readonly Edit[] {
  const [before, behind] = [tokensOf(old, was, wasEnd), tokensOf(now, is, isEnd)];
  const edits: Edit[] = [];
  let deeper = 0;
  const edit = (a: number, aEnd: number, b: number, bEnd: number): void => {
    if (a === aEnd && b === bEnd) return;
    for (let at = a; at < aEnd; at++) deeper -= depthOf(before[at]);
    for (let at = b; at < bEnd; at++) deeper += depthOf(behind[at]);
    edits.push({ was: was + a, wasEnd: was + aEnd, is: is + b, isEnd: is + bEnd, deeper });
  };
  // A letter that is no anchor is another one, however equal: a place among those that went is in the middle of no new word.
  const stays = (a: number, b: number): boolean => typeof before[a] !== "string" && same(before[a], behind[b]);
  const gap = (a: number, aEnd: number, b: number, bEnd: number): void => {
    while (a < aEnd && b < bEnd && stays(a, b)) {
      a += 1;
      b += 1;
    }
    while (a < aEnd && b < bEnd && stays(aEnd - 1, bEnd - 1)) {
      aEnd -= 1;
      bEnd -= 1;
    }
    edit(a, aEnd, b, bEnd);
  };
  let [a, b] = [0, 0];
  for (const [oldAt, newAt] of anchors) {
    const [one, other] = [before[oldAt - was], behind[newAt - is]];
    if (oldAt - was < a || newAt - is < b || oldAt >= wasEnd || newAt >= isEnd || one == null || other == null) continue;
    // A letter is itself; a node that opens may have become another that opens.
    if (depthOf(one) !== depthOf(other) || (typeof one === "string" && one !== other)) continue;
    gap(a, oldAt - was, b, newAt - is);
    [a, b] = [oldAt - was + 1, newAt - is + 1];
    if (!same(one, other)) edit(a - 1, a, b - 1, b);
  }
  gap(a, before.length, b, behind.length);
  return edits;
}

/** One edit after the other; what is before it is already the new document. */
function perform(transaction: Transaction, old: Node, now: Node, edits: readonly Edit[], base: number): void {
  for (let at = 0; at < edits.length; ) {
    const first = edits[at];
    if (first === undefined) return;
    let end = at;
    while (end < edits.length && edits[end]?.deeper !== base) end += 1;
    const last = edits[end];
    if (last === undefined) throw new RangeError("the documents are not equally deep at their ends");
    if (end === at) {
      if (!attempt(transaction, single(transaction.doc, now, first))) end = together(transaction, now, edits, at, base);
    } else {
      const inner = edits.slice(at + 1, end);
      // What is around goes first; then what is inside is as deep as it will be.
      const around = inner.every(({ deeper }) => deeper !== base) && edits[end - 1]?.deeper === first.deeper ? wrap(old, now, first, last) : null;
      if (around !== null && attempt(transaction, around)) {
        perform(transaction, old, now, inner, first.deeper);
      } else end = together(transaction, now, edits, at, base);
    }
    at = end + 1;
  }
}

/** Several edits as one that replaces everything between them too; as many as it takes. */
function together(transaction: Transaction, now: Node, edits: readonly Edit[], from: number, base: number): number {
  const first = edits[from];
  for (let end = from; end < edits.length && first !== undefined; end++) {
    const last = edits[end];
    if (last === undefined || last.deeper !== base) continue;
    const step = new ReplaceStep(first.is, first.is + last.wasEnd - first.was, now.slice(first.is, last.isEnd));
    if (attempt(transaction, step)) return end;
  }
  throw new RangeError("no stretch of them fits");
}

function single(doc: Node, now: Node, { was, wasEnd, is, isEnd }: Edit): Step {
  const [node, changed] = [doc.nodeAt(is), now.nodeAt(is)];
  if (wasEnd - was === 1 && isEnd - is === 1 && node !== null && changed !== null && !node.isLeaf && !changed.isLeaf) {
    const empty = changed.type.create(changed.attrs, null, changed.marks);
    return new ReplaceAroundStep(is, is + node.nodeSize, is + 1, is + node.nodeSize - 1, new Slice(now.type.schema.topNodeType.create(null, empty).content, 0, 0), 1, true);
  }
  return new ReplaceStep(is, is + wasEnd - was, now.slice(is, isEnd));
}

/** Both edits at the ends of something that stays. */
function wrap(old: Node, now: Node, first: Edit, last: Edit): Step | null {
  const slice = now.slice(first.is, last.isEnd);
  if (!isFlat(old, first.wasEnd, last.was) || !isFlat(now, first.isEnd, last.is)) return null;
  const gapFrom = first.is + first.wasEnd - first.was;
  const gapTo = gapFrom + last.was - first.wasEnd;
  const from = first.isEnd - first.is;
  const around = without(slice, from, from + last.is - first.isEnd);
  return around && new ReplaceAroundStep(first.is, gapTo + last.wasEnd - last.was, gapFrom, gapTo, around, from);
}

/** The slice without what stands between two of its places, if that can be taken out whole. */
function without(slice: Slice, from: number, to: number): Slice | null {
  try {
    // Not among its declared methods; steps are inverted by it.
    return (slice as Slice & { removeBetween: (from: number, to: number) => Slice }).removeBetween(from, to);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function isFlat(doc: Node, from: number, to: number): boolean {
  const { openStart, openEnd } = doc.slice(from, to);
  return openStart === 0 && openEnd === 0;
}

function attempt(transaction: Transaction, step: Step): boolean {
  return transaction.maybeStep(step).failed === null;
}

/** Takes marks from letters that stay and will not have them: what they stand in may not admit them. */
function unmark(transaction: Transaction, now: Node, part: Part, edits: readonly Edit[]): void {
  let [was, is] = [part.was, part.is];
  const stretch = (wasEnd: number): void => {
    compareMarks(transaction.doc, now, was, is, wasEnd - was, (from, to, old, wanted) => {
      for (const mark of old) if (!mark.isInSet(wanted)) transaction.removeMark(from, to, mark);
    });
  };
  for (const edit of edits) {
    stretch(edit.was);
    [was, is] = [edit.wasEnd, edit.isEnd];
  }
  stretch(part.wasEnd);
}

function remark(transaction: Transaction, now: Node, from: number, to: number): void {
  compareMarks(transaction.doc, now, from, from, to - from, (start, end, old, wanted) => {
    for (const mark of old) if (!mark.isInSet(wanted)) transaction.removeMark(start, end, mark);
    for (const mark of wanted) if (!mark.isInSet(old)) transaction.addMark(start, end, mark);
  });
}

type Marks = Node["marks"];

/** Calls for each stretch of letters whose marks differ, in places of the first document. */
function compareMarks(doc: Node, now: Node, was: number, is: number, length: number, differ: (from: number, to: number, old: Marks, wanted: Marks) => void): void {
  if (length <= 0) return;
  const wanted: { readonly from: number; readonly to: number; readonly marks: Marks }[] = [];
  now.nodesBetween(is, is + length, (node, position) => {
    if (node.isInline) wanted.push({ from: Math.max(position, is) - is, to: Math.min(position + node.nodeSize, is + length) - is, marks: node.marks });
  });
  let next = 0;
  const found: (readonly [number, number, Marks, Marks])[] = [];
  doc.nodesBetween(was, was + length, (node, position) => {
    if (!node.isInline) return;
    const [from, to] = [Math.max(position, was) - was, Math.min(position + node.nodeSize, was + length) - was];
    while ((wanted[next]?.to ?? Infinity) <= from) next += 1;
    for (let at = next; (wanted[at]?.from ?? Infinity) < to; at++) {
      const one = wanted[at];
      if (one === undefined) break;
      const [start, end] = [Math.max(one.from, from), Math.min(one.to, to)];
      if (start < end && !sameMarks(node.marks, one.marks)) found.push([was + start, was + end, node.marks, one.marks]);
    }
  });
  for (const [from, to, old, marks] of found) differ(from, to, old, marks);
}

function sameMarks(one: Marks, other: Marks): boolean {
  return one.length === other.length && one.every((mark, at) => mark.eq(other[at] ?? mark));
}
