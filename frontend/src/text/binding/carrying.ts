// What others wrote in a block that was moved is carried over, to behind the very letter that it was written behind.
import { ContentEmbed, ContentString, ContentType, createID, type Doc, findIndexSS, getItem, type ID, isDeleted, Item, Map as YMap, type Text as YText, type Transaction, UndoManager } from "yjs";
import { insert } from "./put";
import { fieldsOf } from "./sequence";
import { type Carried, type Stretch, stretches } from "./stretches";

/** What was moved, as moves.ts knows it. */
export interface Moved {
  readonly doc: Doc;
  readonly text: YText;
  readonly known: readonly Carried[];
  readonly first: readonly Carried[];
  /** What was `old` is `now`; where undo put that in, with one's own number by then. */
  readonly learn: (old: readonly Stretch[], now: readonly Stretch[], since?: number) => readonly Carried[];
}

/** The origin of what is carried over: nobody wrote it, and nobody takes it back. */
export const CARRIED = Symbol("carried");

/** To be called after the transactions, not within them: what comes there would be told of twice. */
export function carryOver(moves: Moved, transactions: readonly Transaction[]): void {
  new Carrier(moves).after(transactions);
}

class Carrier {
  constructor(private readonly moves: Moved) {}

  after(transactions: readonly Transaction[]): void {
    const come: Item[] = [];
    for (const one of transactions) {
      if (one.origin instanceof UndoManager) this.turn(one, one.origin);
      else if (!one.local && one.changedParentTypes.has(this.moves.text as never)) come.push(...this.written(one));
    }
    this.carryAll(come, this.moves.known, this.moves.first);
  }

  /** With what was written behind it, and behind that. */
  private carryAll(items: readonly Item[], moved: readonly Carried[], first: readonly Carried[], restored = Infinity): readonly Carried[] {
    const { clientID } = this.moves.doc;
    let [waiting, known] = [items, moved];
    if (waiting.length === 0) return [];
    this.moves.doc.transact((own) => {
      for (let more = true; more; ) {
        more = false;
        waiting = waiting.filter((item) => {
          const isRestored = item.id.client === clientID && item.id.clock >= restored;
          const behind = this.behind(known, item.origin, isRestored);
          const beside = behind ?? this.before(known, first, item, isRestored);
          if (beside === null) return true;
          const carried = this.carry(item, beside, behind === null ? 0 : 1, own);
          more ||= carried.length > 0;
          known = [...known, ...carried];
          return false;
        });
      }
    }, CARRIED);
    return known.slice(moved.length);
  }

  /**
   * A move was undone, or done again: what was put in for it is gone, and what had been taken away is there. What others wrote
   * in it stands where it was, as what was carried over does, and goes along.
   */
  private turn({ deleteSet, beforeState }: Transaction, { undoStack, redoStack }: UndoManager): void {
    const [old, now]: [{ client: number; clock: number; length: number }[], Stretch[]] = [[], []];
    let restored = -1;
    for (const { client, clock, length, to, since: put = -1 } of this.moves.known) {
      for (let at = 0; at < length && deleteSet.clients.has(to.client); at++) {
        const gone = createID(to.client, to.clock + at);
        const there = isDeleted(deleteSet, gone) ? this.again(createID(client, clock + at)) : null;
        if (there === null) continue;
        restored = Math.max(restored, put);
        const last = old.at(-1);
        if (last?.client === gone.client && last.clock + last.length === gone.clock) last.length += 1;
        else old.push({ ...gone, length: 1 });
        now.push({ ...there, length: 1 });
      }
    }
    if (old.length === 0) return;
    const { clientID } = this.moves.doc;
    const since = beforeState.get(clientID) ?? 0;
    const ways = this.moves.learn(old, now, since);
    const all: Item[] = [];
    for (let item = this.moves.text._start; item !== null; item = item.right) if (!item.deleted && item.countable && !(item.id.client === clientID && item.id.clock >= since)) all.push(item);
    // What stands behind the same letter keeps its order: the last comes first.
    const carried = this.carryAll(all.reverse(), ways, [], restored < 0 ? Infinity : restored);
    // What was put in before, and would be taken away with another step, is so where it is now.
    for (const { insertions } of [...undoStack, ...redoStack]) {
      for (const { client, clock, length, to } of carried) {
        for (let at = 0; at < length; at++) if (isDeleted(insertions, createID(client, clock + at))) insertions.clients.set(to.client, [...(insertions.clients.get(to.client) ?? []), { clock: to.clock + at, len: 1 }]);
      }
    }
  }

  /** Where that is which something was written behind. What is gone stood behind something itself. */
  private behind(moved: readonly Carried[], origin: ID | null, restored: boolean): ID | null {
    for (let id: ID | null | undefined = origin; id != null; id = this.leftOf(id)) {
      const there = this.placeOf(moved, id, restored);
      if (there !== null) return there;
    }
    return null;
  }

  /** Where that is which it was written before, if nothing is left of what it was written behind. */
  private before(moved: readonly Carried[], first: readonly Carried[], { id: { client }, origin, rightOrigin }: Item, restored: boolean): ID | null {
    let left: ID | null | undefined = origin;
    // What somebody composes is written anew with each key, behind what it was before: all that is behind something else.
    while (left?.client === client && !((getItem(this.moves.doc.store, left) as Partial<Item>).content instanceof ContentType)) left = this.leftOf(left);
    const isLoose = left === null || (left !== undefined && this.leftOf(left) !== undefined);
    if (!isLoose) return null;
    const there = this.placeOf(moved, rightOrigin) ?? this.placeOf(first, rightOrigin);
    if (there !== null || !restored || rightOrigin === null) return there;
    // What undo put in itself may stand before what it was written before first.
    for (let next: Item | null = getItem(this.moves.doc.store, rightOrigin); next?.deleted; next = next.right) {
      const behind = this.placeOf(moved, next.id);
      if (behind !== null) return behind;
    }
    return null;
  }

  /** What stood before a letter that is gone; `undefined` if it is there. */
  private leftOf({ client, clock }: ID): ID | null | undefined {
    const item: unknown = getItem(this.moves.doc.store, createID(client, clock));
    return !(item instanceof Item) || !item.deleted ? undefined : clock > item.id.clock ? createID(client, clock - 1) : item.origin;
  }

  /** The letter that is there by now for one that was moved, or was itself put in for one. */
  private again(moved: ID): ID | null {
    for (let id: ID = moved; ; ) {
      const item: unknown = getItem(this.moves.doc.store, id);
      if (!(item instanceof Item)) break;
      if (!item.deleted) return id;
      const next = redone(item, id.clock);
      if (next === null) break;
      id = next;
    }
    const before = this.moves.known.findLast(({ to, length }) => to.client === moved.client && to.clock <= moved.clock && moved.clock < to.clock + length);
    return before === undefined ? null : this.again(createID(before.client, before.clock + moved.clock - before.to.clock));
  }

  /** What of the sequence a transaction brought. */
  private *written({ beforeState, afterState }: Transaction): Generator<Item> {
    for (const [client, clock] of afterState) {
      const before = beforeState.get(client) ?? 0;
      const structs = this.moves.doc.store.clients.get(client);
      if (structs === undefined || clock <= before) continue;
      for (let at = findIndexSS(structs, before); at < structs.length; at++) {
        const item = structs[at];
        if (item instanceof Item && item.parent === this.moves.text && !item.deleted && item.countable) yield item;
      }
    }
  }

  /** What has become of a letter that was moved, perhaps again and again; `null` if it was not, or is not there. */
  private placeOf(moved: readonly Carried[], from: ID | null, restored = false): ID | null {
    let [among, id, found] = [moved, from, false];
    while (id !== null) {
      const { client, clock }: ID = id;
      const next = among.findLast((one) => one.client === client && one.clock <= clock && clock < one.clock + one.length);
      if (next === undefined) {
        const item: unknown = getItem(this.moves.doc.store, id);
        // What undo put in itself may stand behind what it was written behind first.
        if (!(found || restored) || !(item instanceof Item)) return null;
        if (!item.deleted) return found ? id : null;
        id = redone(item, clock);
      } else {
        id = createID(next.to.client, next.to.clock + clock - next.clock);
        [among, found] = [this.moves.known, true];
      }
    }
    return null;
  }

  private carry(item: Item, beside: ID, offset: 0 | 1, transaction: Transaction): readonly Carried[] {
    const { content, length } = item;
    const old = placeOf(this.moves.text, item.id);
    const there = placeOf(this.moves.text, beside).index + offset;
    const made = content instanceof ContentString ? content.str : content instanceof ContentEmbed ? (content.embed as Record<string, unknown>) : copied(content);
    if (made === null || there === old.index + (1 - offset) * length) return [];
    this.moves.text.delete(old.index, length);
    const at = placeOf(this.moves.text, beside).index + offset;
    insert(this.moves.text, at, made, old.attributes, transaction);
    return this.moves.learn([{ ...item.id, length }], stretches(this.moves.text, at, length));
  }
}

/** What undo made of a letter that was gone. */
function redone({ redone: again, id }: Item, clock: number): ID | null {
  return again === null ? null : createID(again.client, again.clock + clock - id.clock);
}

/** Tables stay: the words of their cells hang on them. */
function copied(content: unknown): YMap<unknown> | null {
  if (!(content instanceof ContentType) || !(content.type instanceof YMap)) return null;
  const fields = fieldsOf(content.type as YMap<unknown>);
  return fields["type"] === "table" ? null : new YMap(Object.entries(fields));
}

/** Where a character is, and the formatting that holds there. */
function placeOf(text: YText, { client, clock }: ID): { readonly index: number; readonly attributes: Readonly<Record<string, unknown>> } {
  const attributes: Record<string, unknown> = {};
  let index = 0;
  for (let item = text._start; item !== null; item = item.right) {
    if (item.id.client === client && item.id.clock <= clock && clock < item.id.clock + item.length) return { index: index + clock - item.id.clock, attributes };
    if (item.deleted) continue;
    if (item.countable) index += item.length;
    else {
      const { key, value } = item.content as unknown as { readonly key?: string; readonly value?: unknown };
      if (key === undefined) continue;
      if (value === null) Reflect.deleteProperty(attributes, key);
      else attributes[key] = value;
    }
  }
  return { index, attributes };
}
