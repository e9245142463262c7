// A block that is moved is taken away in one place and put in in another: the shared data knows no moving. What others write
// in it before they hear of that stands where it was. Whoever moved it carries that over, to behind the very letter that it
// was written behind; and back again, where the move is undone.
import type { Doc, Text as YText, Transaction } from "yjs";
import type * as Carrying from "./carrying";
import { keptAlong } from "./moved";
import type { Line } from "./sequence";
import { type Carried, type Stretch, stretches } from "./stretches";
import type { Operation } from "./write";

/** What is known of so many stretches: whoever moves more than that has left the first of them long ago. */
const MOST = 10_000;

// What carries over is fetched with the first move: a text opens without it.
let carrying: typeof Carrying | null = null;
export const readyToCarry = async (): Promise<void> => void (carrying = await import("./carrying"));

export class Moves {
  known: Carried[] = [];
  /** Where the first letter of a block is that says no more where it begins: what was written before it has nothing else. */
  first: Carried[] = [];
  /** Since there is something to carry over, and until what does it is here. */
  private heard: Transaction[] = [];

  constructor(
    readonly doc: Doc,
    readonly text: YText,
  ) {
    // Not within a transaction's own end: what comes there would be told of twice.
    doc.on("afterAllTransactions", this.afterAll);
  }

  dispose(): void {
    this.doc.off("afterAllTransactions", this.afterAll);
  }

  /** To be called before the operations are put in; what it answers, after that. */
  watch(lines: readonly Line[], operations: readonly Operation[]): () => void {
    const found = keptAlong(lines, operations).map(({ was, is, length }) => ({ to: is, length, old: stretches(this.text, was, length) }));
    return () => {
      for (const { to, length, old } of found) {
        const [letter] = this.learn(old, stretches(this.text, to, length));
        if (to === 0 && letter !== undefined) this.first.push({ ...letter, length: 1 });
      }
    };
  }

  learn(old: readonly Stretch[], now: readonly Stretch[], since?: number): readonly Carried[] {
    const learned: Carried[] = [];
    const there = now.flatMap(({ client, clock, length }) => Array.from({ length }, (_, at) => ({ client, clock: clock + at })));
    let offset = 0;
    for (const { client, clock, length } of old) {
      // Where it is put in in several pieces, each of them is followed.
      for (let from = 0; from < length; ) {
        const to = there[offset + from];
        if (to === undefined) break;
        let size = 1;
        for (let next = there[offset + from + size]; from + size < length && next?.client === to.client && next.clock === to.clock + size; next = there[offset + from + size]) size += 1;
        learned.push({ client, clock: clock + from, length: size, to, ...(since === undefined ? {} : { since }) });
        from += size;
      }
      offset += length;
    }
    this.known = [...this.known, ...learned].slice(-MOST);
    if (carrying === null)
      readyToCarry().then(
        () => carrying?.carryOver(this, this.heard.splice(0)),
        () => undefined,
      );
    return learned;
  }

  private readonly afterAll = (_doc: Doc, transactions: readonly Transaction[]): void => {
    if (this.known.length === 0) return;
    this.heard = [...this.heard, ...transactions].slice(-MOST);
    carrying?.carryOver(this, this.heard.splice(0));
  };
}
