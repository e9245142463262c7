// What undo brings back are new letters. Yjs finds them again, but takes for the whole of them what is one piece by now:
// where somebody has written within, only what is before that would be taken back, and the rest be there twice after that.
import { compareIDs, ContentFormat, ContentString, createDeleteSet, createID, type Doc, findIndexSS, getItemCleanEnd, getState, Item, type Text as YText, type Transaction } from "yjs";

type Numbers = ReturnType<typeof createDeleteSet>;

/** The same letters, by the numbers that they have now. */
export function numbersNow({ store }: Doc, { clients }: Numbers): Numbers {
  const now = createDeleteSet();
  const add = (client: number, from: number, to: number): void => {
    const structs = store.clients.get(client) ?? [];
    for (let at = from; at < to; ) {
      const struct = structs[findIndexSS(structs, at)];
      if (struct === undefined) return;
      const { clock } = struct.id;
      const end = Math.min(to, clock + struct.length);
      const again = struct instanceof Item ? struct.redone : null;
      if (again === null) now.clients.set(client, [...(now.clients.get(client) ?? []), { clock: at, len: end - at }]);
      else add(again.client, again.clock + at - clock, again.clock + end - clock);
      at = end;
    }
  };
  for (const [client, stretches] of clients) for (const { clock, len } of stretches) add(client, clock, clock + len);
  for (const stretches of now.clients.values()) stretches.sort((one, other) => one.clock - other.clock);
  return now;
}

/**
 * Yjs puts what it brings back before what it stands for. At the start of a line that is also where somebody writes who does
 * not know of it, and what they write comes behind the first piece: in the middle of a word that was written in two. So what
 * begins a line is put behind the first of the letters that it stands for, where nobody writes but within it.
 */
export function putBehindStarts(transaction: Transaction): void {
  const { doc, beforeState } = transaction;
  const { clientID } = doc;
  const structs = doc.store.clients.get(clientID) ?? [];
  const since = beforeState.get(clientID) ?? 0;
  if (getState(doc.store, clientID) <= since) return;
  for (const item of structs.slice(findIndexSS(structs, since))) {
    if (!(item instanceof Item) || item.deleted || !(item.content instanceof ContentString) || !beginsLine(item)) continue;
    const gone = item.right;
    if (gone === null || !gone.deleted || gone.redone === null || !compareIDs(gone.redone, item.id)) continue;
    const first = getItemCleanEnd(transaction, doc.store, createID(gone.id.client, gone.id.clock));
    // With nothing else behind that, those who write there write at the end.
    if (first.right === null || !first.right.deleted) continue;
    const again = new Item(createID(clientID, getState(doc.store, clientID)), first, first.lastId, first.right, first.right.id, item.parent, null, new ContentString(item.content.str));
    again.integrate(transaction, 0);
    item.delete(transaction);
    item.redone = again.id;
    const { _searchMarker: markers } = item.parent as unknown as YText & { readonly _searchMarker: unknown[] | null };
    if (markers !== null) markers.length = 0;
  }
}

/** Whether nothing stands before it in its line. */
function beginsLine({ left }: Item): boolean {
  let before = left;
  while (before !== null && (before.deleted || before.content instanceof ContentFormat)) before = before.left;
  return before === null || !(before.content instanceof ContentString);
}
