// Sending what a copy on this device holds without opening the document: from the first page and from any
// other, and from the service worker.
import { AbstractType, applyUpdate, decodeStateVector, Doc, encodeStateVectorFromUpdate, Item, iterateDeletedStructs, mergeUpdates, type Transaction } from "yjs";
import { KEPT, openCopy, REFUSED, refusalIn, type CopyRefusal } from "./behind";

export type Sending =
  /** Nothing waited. */
  | "nothing"
  /** The server has it, durably. */
  | "sent"
  | Later
  | CopyRefusal;

/** It did not work, for a reason that passes. */
export interface Later {
  /** Nobody there, or somebody who wants to be left alone: it would be the same with every other document. */
  readonly everywhere: boolean;
  /** Not to be tried again before so many ms are over. */
  readonly after: number;
}

/** A trouble with this document, which says nothing about any other. */
export const LATER: Later = { everywhere: false, after: 0 };

export const isLater = (sending: Sending): sending is Later => typeof sending === "object" && "everywhere" in sending;
export const isRefusal = (sending: Sending): sending is CopyRefusal => typeof sending === "object" && "code" in sending;

export interface SendPorts {
  /** What the server has, as one update; `null` for a document that it does not know. */
  readonly state: () => Promise<Uint8Array | null>;
  /** Resolves when the server calls it durable. */
  readonly contribute: (update: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** What a failure of either means. Whatever is no answer is rethrown. */
  readonly verdict: (error: unknown) => Later | CopyRefusal;
}

/** Throws when the copy cannot be read or written: a full disk, a row that is broken. Nothing is sent then. */
export async function sendCopy(document: string, ports: SendPorts): Promise<Sending> {
  const database = await openCopy(document);
  if (database === null) return "nothing";
  try {
    const { updates, last, kept, refused } = await read(database);
    if (kept === 0 || updates.length === 0) return "nothing";
    // Asked once. It is asked anew when somebody opens the document, or brings it back.
    if (refused !== null) return refused;
    const merged = new Uint8Array(mergeUpdates([...updates]));
    const state = await ports.state().catch(ports.verdict);
    if (state !== null && !(state instanceof Uint8Array)) return await refuse(database, state);
    const unseen = missing(merged, state);
    // Words written into what is gone by now would die unseen: it waits until their author is there.
    if (state !== null && die(unseen, merged, state)) return CHANGED;
    const trouble = await ports.contribute(merged).then(() => null, ports.verdict);
    if (trouble !== null) return await refuse(database, trouble);
    await acknowledge(database, last, kept);
    return "sent";
  } finally {
    database.close();
  }
}

/** Writes down what was said, where it can be: whoever asked knows it in any case. */
async function refuse(database: IDBDatabase, said: Later | CopyRefusal): Promise<Sending> {
  if (isRefusal(said)) await put(database, REFUSED, said).catch(() => undefined);
  return said;
}

/** Asks the server again about what it refused. */
export async function forgetRefusal(document: string): Promise<void> {
  const database = await openCopy(document);
  if (database === null) return;
  try {
    await put(database, REFUSED, undefined);
  } finally {
    database.close();
  }
}

/** How many own changes wait in a copy, and why; `null` where there is none. Rejects where that cannot be found out. */
export async function waitingIn(document: string): Promise<Pick<Copy, "kept" | "refused"> | null> {
  const database = await openCopy(document);
  if (database === null) return null;
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("custom");
      const [kept, refused] = [KEPT, REFUSED].map((key) => transaction.objectStore("custom").get(key));
      transaction.oncomplete = () => resolve({ kept: countIn(kept?.result), refused: refusalIn(refused?.result) });
      transaction.onabort = () => reject(transaction.error ?? new Error("no store"));
    });
  } finally {
    database.close();
  }
}

/** What somebody wrote into here is deleted by now. */
export const CHANGED: CopyRefusal = { status: 409, code: "changed_meanwhile", message: "a part that this was written into was deleted meanwhile; open the document to send it" };

/**
 * Whether something that only this device knows goes down with what stood around it. A value that lost against another, and
 * whatever else was deleted elsewhere, does not count.
 */
function die(unseen: readonly Range[], update: Uint8Array, state: Uint8Array): boolean {
  const doc = new Doc();
  applyUpdate(doc, update);
  let dead = false;
  doc.on("afterTransaction", (transaction: Transaction) =>
    iterateDeletedStructs(transaction, transaction.deleteSet, (struct) => {
      const within = struct instanceof Item && struct.parent instanceof AbstractType && struct.parent._item?.deleted === true;
      const { client, clock } = struct.id;
      dead ||= within && unseen.some((range) => range.client === client && range.from < clock + struct.length && clock < range.to);
    }),
  );
  applyUpdate(doc, state);
  doc.destroy();
  return dead;
}

/** What one client wrote, from one clock up to another. */
interface Range {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

/** What `state` lacks of an update, by client. */
function missing(update: Uint8Array, state: Uint8Array | null): readonly Range[] {
  const known = state === null ? new Map<number, number>() : decodeStateVector(encodeStateVectorFromUpdate(state));
  return [...decodeStateVector(encodeStateVectorFromUpdate(update))].flatMap(([client, to]) => {
    const from = known.get(client) ?? 0;
    return from < to ? [{ client, from, to }] : [];
  });
}

interface Copy {
  readonly updates: readonly Uint8Array[];
  /** The newest row, by which later ones are told. */
  readonly last: IDBValidKey | null;
  readonly kept: number;
  readonly refused: CopyRefusal | null;
}

function read(database: IDBDatabase): Promise<Copy> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["updates", "custom"]);
    const [rows, values] = [transaction.objectStore("updates"), transaction.objectStore("custom")];
    const [updates, keys, kept, refused] = [rows.getAll(), rows.getAllKeys(), values.get(KEPT), values.get(REFUSED)];
    transaction.oncomplete = () =>
      resolve({
        updates: updates.result as Uint8Array[],
        last: keys.result.at(-1) ?? null,
        kept: countIn(kept.result),
        refused: refusalIn(refused.result),
      });
    transaction.onabort = () => reject(transaction.error ?? new Error("no store"));
  });
}

function put(database: IDBDatabase, key: string, value: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("custom", "readwrite");
    if (value === undefined) transaction.objectStore("custom").delete(key);
    else transaction.objectStore("custom").put(value, key);
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("no store"));
  });
}

/** Nothing waits any more, unless something was written meanwhile: then all of it is sent again, which changes nothing. */
function acknowledge(database: IDBDatabase, last: IDBValidKey | null, kept: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["updates", "custom"], "readwrite");
    const values = transaction.objectStore("custom");
    const [keys, now] = [transaction.objectStore("updates").getAllKeys(), values.get(KEPT)];
    now.onsuccess = () => {
      if ((keys.result.at(-1) ?? null) === last && now.result === kept) values.put(0, KEPT);
    };
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("no store"));
  });
}

function countIn(value: unknown): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
