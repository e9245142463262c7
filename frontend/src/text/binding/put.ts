// Writes a change into a Y.Text. Yjs puts what is inserted behind whatever was deleted at that place, and so a word could
// come apart that one was typing while the words behind it were taken away: what somebody else had written among those would
// stand in the middle of it. Here it comes right behind the letter that it was written behind.
import { ContentEmbed, ContentFormat, ContentString, ContentType, createID, getState, Item, Map as YMap, type Text as YText, type Transaction } from "yjs";
import type { Attributes } from "./model";
import { type Kept, sameAttributes, sameValue } from "./sequence";
import type { Operation } from "./write";

/** With more operations than this, one walk over the whole is quicker, and nobody is typing. */
const MANY = 200;

/** An operation with its place in the sequence as it is before any of them. */
export interface Placed {
  readonly at: number;
  readonly operation: Operation;
}

export function put(text: YText, operations: readonly Operation[], transaction: Transaction): void {
  if (operations.length > MANY) text.applyDelta(operations as Operation[]);
  else putAt(text, placedOf(operations), transaction);
}

/** The same in a sequence that has become another since the operations were made for it: `stayed` is what is left of it. */
export function putAgain(text: YText, operations: readonly Operation[], stayed: readonly Kept[], transaction: Transaction): void {
  // What others moved meanwhile may stand in another order than it stood in.
  putAt(text, placedOf(operations).flatMap((one) => moved(one, stayed)).sort((one, other) => one.at - other.at), transaction);
}

function placedOf(operations: readonly Operation[]): readonly Placed[] {
  let at = 0;
  return operations.map((operation) => {
    const placed = { operation, at };
    if ("retain" in operation) at += operation.retain;
    if ("delete" in operation) at += operation.delete;
    return placed;
  });
}

function moved({ at, operation }: Placed, stayed: readonly Kept[]): readonly Placed[] {
  if ("insert" in operation) {
    // Behind what it was written behind, or what is left before that.
    const before = stayed.findLast(({ was }) => was < at);
    return [{ at: before === undefined ? 0 : before.is + Math.min(before.length, at - before.was), operation }];
  }
  const length = "retain" in operation ? operation.retain : operation.delete;
  return stayed.flatMap(({ was, is, length: long }): Placed[] => {
    const [from, to] = [Math.max(was, at), Math.min(was + long, at + length)];
    if (from >= to) return [];
    return [{ at: is + from - was, operation: "retain" in operation ? { ...operation, retain: to - from } : { delete: to - from } }];
  });
}

export function putAt(text: YText, placed: readonly Placed[], transaction: Transaction): void {
  // From the end, so that places before it stay what they are.
  for (const { operation, at } of placed.toReversed()) {
    if ("retain" in operation) {
      if (operation.attributes !== undefined) text.format(at, operation.retain, { ...operation.attributes });
    } else if ("delete" in operation) text.delete(at, operation.delete);
    else insert(text, at, operation.insert, operation.attributes, transaction);
  }
}

type Content = string | Readonly<Record<string, unknown>> | YMap<unknown>;

export function insert(text: YText, index: number, content: Content, attributes: Attributes, transaction: Transaction): void {
  const { doc } = transaction;
  const place = placeOf(text, index);
  if (place === null || !isPassed(place.right) || !(sameAttributes(place.attributes, attributes) || isMidWord(place, content, doc.clientID))) {
    if (typeof content === "string") text.insert(index, content, { ...attributes });
    else text.insertEmbed(index, content, { ...attributes });
    return;
  }
  let { left } = place;
  const { right } = place;
  const integrate = (made: ContentFormat | ContentString | ContentType | ContentEmbed): void => {
    const item: Item = new Item(createID(doc.clientID, getState(doc.store, doc.clientID)), left, left?.lastId ?? null, right, right?.id ?? null, text, null, made);
    item.integrate(transaction, 0);
    left = item;
  };
  const keys = [...new Set([...Object.keys(place.attributes), ...Object.keys(attributes)])].filter((key) => !sameValue(place.attributes[key], attributes[key]));
  for (const key of keys) integrate(new ContentFormat(key, (attributes[key] ?? null) as object));
  integrate(typeof content === "string" ? new ContentString(content) : content instanceof YMap ? new ContentType(content) : new ContentEmbed(content));
  for (const key of keys) integrate(new ContentFormat(key, (place.attributes[key] ?? null) as object));
  // Yjs's own shortcuts to places it has been at know nothing of this one.
  const { _searchMarker: markers } = text as unknown as { readonly _searchMarker: unknown[] | null };
  if (markers !== null) markers.length = 0;
}

/**
 * Whether a word goes on in which a formatting ends by now that somebody else gave to what was before it: behind that end
 * others may be writing as well.
 */
function isMidWord({ left, right }: InsertPlace, content: Content, client: number): boolean {
  if (typeof content !== "string" || !/^\S/.test(content)) return false;
  if (left?.id.client !== client || !(left.content instanceof ContentString) || !/\S$/.test(left.content.str)) return false;
  for (let passed = right; passed !== null && isPassed(passed); passed = passed.right) if (!passed.deleted && passed.id.client !== client) return true;
  return false;
}

/** What Yjs would pass over before it inserts. */
function isPassed(item: Item | null): boolean {
  return item !== null && (item.deleted || item.content instanceof ContentFormat);
}

interface InsertPlace {
  readonly left: Item | null;
  readonly right: Item | null;
  /** Which formatting holds there. */
  readonly attributes: Attributes;
}

/** Right behind what stands before a place; `null` in the middle of a stretch of letters. */
function placeOf(text: YText, index: number): InsertPlace | null {
  const attributes: Record<string, unknown> = {};
  let left: Item | null = null;
  let right: Item | null = text._start;
  for (let rest = index; rest > 0 && right !== null; left = right, right = right.right) {
    if (right.deleted) continue;
    if (right.content instanceof ContentFormat) {
      const { key, value } = right.content as unknown as { readonly key: string; readonly value: unknown };
      if (value === null) Reflect.deleteProperty(attributes, key);
      else attributes[key] = value;
    } else if (right.countable) {
      if (right.length > rest) return null;
      rest -= right.length;
    }
  }
  return { left, right, attributes };
}
