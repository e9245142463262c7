// What undo brings back are new letters. Yjs finds them again, but takes for the whole of them what is one piece by now:
// where somebody has written within, only what is before that would be taken back, and the rest be there twice after that.
import { createDeleteSet, type Doc, findIndexSS, Item } from "yjs";

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
