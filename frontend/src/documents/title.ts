// The title as shared data: a string under `title` in the root map `meta`, where the server looks for it. As one value it
// is written whole, and of two people who write it at once one would lose every letter; so whoever lost puts what they
// changed into what the other wrote.
import { simpleDiffString } from "lib0/diff";
import { compareIDs, Item, type Doc, type ID } from "yjs";

const ROOT = "meta";
const KEY = "title";
/** The title that was last taken from the text itself; while it is the title, nobody has given one. */
const TAKEN = "titleTaken";

/** Longer ones help nobody and would travel with every list. In UTF-16 units, as inputs count. */
export const LONGEST_TITLE = 200;

export function readTitle(doc: Doc): string {
  const title: unknown = doc.getMap(ROOT).get(KEY);
  return typeof title === "string" ? oneLine(title) : "";
}

export function writeTitle(doc: Doc, title: string): void {
  const line = oneLine(title);
  if (line !== readTitle(doc)) doc.getMap(ROOT).set(KEY, line);
}

/** Whether somebody gave the title that there is, rather than its having been taken from the first line. */
export function hasGivenTitle(doc: Doc): boolean {
  const title = readTitle(doc);
  return title !== "" && title !== doc.getMap(ROOT).get(TAKEN);
}

/** Calls the document by a line of its own. */
export function takeTitle(doc: Doc, line: string): void {
  const title = oneLine(line);
  if (title === readTitle(doc)) return;
  doc.transact(() => {
    doc.getMap(ROOT).set(TAKEN, title);
    doc.getMap(ROOT).set(KEY, title);
  });
}

/** Writes what somebody made of `seen`, which may be older than the title by now. */
export function editTitle(doc: Doc, seen: string, made: string): void {
  writeTitle(doc, merged(seen, oneLine(made), readTitle(doc)));
}

/**
 * What `ours` and `theirs` both made of `base`. Where both changed the same letters, both are there. The words on a board
 * (board/words.ts) are merged letter by letter, which a line does not need and every opening of a text would load.
 */
export function merged(base: string, ours: string, theirs: string): string {
  const { index, remove, insert } = simpleDiffString(base, ours);
  const other = simpleDiffString(base, theirs);
  if (index + remove <= other.index) return spliced(theirs, index, remove, insert);
  if (index >= other.index + other.remove) return spliced(theirs, index + other.insert.length - other.remove, remove, insert);
  return spliced(theirs, other.index + other.insert.length, 0, insert);
}

/** Where a place in `before` is in `after`. */
export function placeAfter(before: string, after: string, place: number): number {
  const { index, remove, insert } = simpleDiffString(before, after);
  if (place <= index) return place;
  return place >= index + remove ? place + insert.length - remove : index + insert.length;
}

const spliced = (text: string, index: number, remove: number, insert: string): string => text.slice(0, index) + insert + text.slice(index + remove);

/**
 * Mends what is lost when this person and another write the title at the same time, for as long as nobody calls the end.
 * Only the side whose value did not prevail has something to mend, and it knows: the other's is no answer to its own.
 */
export function keepTitle(doc: Doc): () => void {
  const map = doc.getMap(ROOT);
  let shown = readTitle(doc);
  let own: Own | null = null;
  const look = (_event: unknown, { local }: { readonly local: boolean }): void => {
    const [before, now] = [shown, readTitle(doc)];
    const item = map._map.get(KEY);
    shown = now;
    if (item === undefined || before === now) return;
    if (!hasGivenTitle(doc)) {
      // Taken from the text, which is nobody's word against anybody's; but what somebody gave stays.
      const given = local ? undefined : own?.written.at(-1)?.value;
      own = null;
      if (given) writeTitle(doc, given);
      return;
    }
    if (local) {
      const follows = compareIDs(item.origin, own?.written.at(-1)?.id ?? null);
      own = { base: follows && own !== null ? own.base : before, written: [...(follows && own !== null ? own.written.slice(-MOST) : []), { id: item.id, value: now }] };
      return;
    }
    if (own === null || own.written.some(({ id }) => compareIDs(item.id, id))) return;
    const { base, written } = own;
    own = null;
    const seen = lastSeen(doc, item, written);
    const last = written.at(-1)?.value ?? now;
    // At once: whoever shows the title never sees it without one of the two.
    if (seen < written.length - 1) editTitle(doc, written[seen]?.value ?? base, last);
  };
  map.observe(look);
  return () => map.unobserve(look);
}

/** What this person wrote since another did, each letter a value of its own. */
interface Own {
  readonly base: string;
  readonly written: readonly { readonly id: ID; readonly value: string }[];
}

/** More than anybody types before the first of it is answered. */
const MOST = 500;

/** Which of the values had been seen by whoever wrote the item, as an index; -1 for none. What was cleared away was seen. */
function lastSeen(doc: Doc, item: Item, written: Own["written"]): number {
  for (let { origin } = item; origin !== null; ) {
    const { client, clock } = origin;
    const seen = written.findIndex(({ id }) => id.client === client && id.clock === clock);
    if (seen >= 0) return seen;
    const before = doc.store.clients.get(client)?.findLast((struct) => struct.id.clock <= clock);
    // Cleared away: it was there before any of these.
    if (!(before instanceof Item)) return -1;
    origin = before.origin;
  }
  return -1;
}

/** Calls back whenever the title may have changed. Returns the end of it. */
export function onTitle(doc: Doc, listener: () => void): () => void {
  const map = doc.getMap(ROOT);
  map.observe(listener);
  return () => map.unobserve(listener);
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, LONGEST_TITLE);
}
