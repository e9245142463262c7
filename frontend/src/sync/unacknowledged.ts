// Which letters and blocks of this device the server has not called durable. Counted by clocks: whatever a client wrote
// beyond the last one acknowledged is nobody else's knowledge yet.
import type { Range } from "./behind";
import { getState, type Doc, type Transaction } from "yjs";

export interface Unacknowledged {
  /** The server said how far it knows each client. It says so each time the two meet, before anything else. */
  readonly known: (vector: ReadonlyMap<number, number>) => void;
  /** What was sent from here while the document was not open: the server knows it, and nobody had seen it before. */
  readonly sentBehind: (ranges: readonly Range[]) => void;
  /** The line to the server is gone. What is called durable before the two have met again is not believed to be all. */
  readonly lost: () => void;
  /** Everything written here is durable. */
  readonly saved: () => void;
  readonly has: (client: number, clock: number) => boolean;
  readonly dispose: () => void;
}

export function trackUnacknowledged(doc: Doc): Unacknowledged {
  /** By the ids this tab wrote under, how far that is acknowledged. Usually one: Yjs takes another if it meets its own. */
  const own = new Map<number, number>();
  /** What other tabs and earlier visits of this device wrote, from and to which clock, when it met a server that lacked it. */
  const others = new Map<number, { readonly from: number; readonly to: number }>();
  let behind: readonly Range[] = [];

  let met = false;

  const onTransaction = (transaction: Transaction): void => {
    const { clientID } = doc;
    if (transaction.local && !own.has(clientID)) own.set(clientID, transaction.beforeState.get(clientID) ?? 0);
  };
  doc.on("afterTransaction", onTransaction);

  return {
    known: (vector) => {
      met = true;
      others.clear();
      for (const client of doc.store.clients.keys()) {
        const [from, to] = [vector.get(client) ?? 0, getState(doc.store, client)];
        // Of what this tab wrote, the server may know more than it has said so far. That it knows it does not say that
        // anybody else does: it may have come after a deletion of everything around it.
        if (!own.has(client) && from < to) others.set(client, { from, to });
      }
    },
    sentBehind: (ranges) => {
      behind = ranges;
    },
    lost: () => {
      met = false;
    },
    saved: () => {
      if (!met) return;
      others.clear();
      behind = [];
      for (const client of own.keys()) own.set(client, getState(doc.store, client));
    },
    has: (client, clock) => {
      const acknowledged = own.get(client);
      if (acknowledged !== undefined) return clock >= acknowledged;
      const other = others.get(client);
      if (other !== undefined && clock >= other.from && clock < other.to) return true;
      return behind.some((range) => range.client === client && clock >= range.from && clock < range.to);
    },
    dispose: () => doc.off("afterTransaction", onTransaction),
  };
}
