// Sending what a copy on this device holds without opening the document: from the first page and from any
// other. What nobody else had seen at that moment is written down with the copy first: whoever deleted the block
// it stands in did not see it, and its author, who is not there now, is asked about it when they open the document next.
import { applyUpdate, decodeStateVector, Doc, encodeStateVectorFromUpdate, mergeUpdates, type Transaction } from "yjs";

/** What one client wrote, from one clock up to another. */
export interface Range {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

/** Why the server will not take it, in its own words. */
export interface CopyRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** The values beside the updates of a copy. */
export const KEPT = "kept";
export const BEHIND = "behind";
export const REFUSED = "refused";

export const databaseName = (document: string): string => `${PREFIX}${document}`;
const PREFIX = "weft:document:";

/** The document whose copy a database is; `null` for any other. */
export function documentOf(database: string): string | null {
  return database.startsWith(PREFIX) ? database.slice(PREFIX.length) : null;
}

export type Sending =
  /** Nothing waited. */
  | "nothing"
  /** The server has it, durably. */
  | "sent"
  /** Nobody there, or a trouble that passes. */
  | "later"
  | CopyRefusal;

export interface SendPorts {
  /** What the server has, as one update; `null` for a document that it does not know. */
  readonly state: () => Promise<Uint8Array | null>;
  /** Resolves when the server calls it durable. */
  readonly contribute: (update: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** What a failure of either means. Whatever is no answer is rethrown. */
  readonly verdict: (error: unknown) => "later" | CopyRefusal;
}

export async function sendCopy(document: string, ports: SendPorts): Promise<Sending> {
  const database = await openCopy(document);
  if (database === null) return "nothing";
  try {
    const { updates, last, kept, refused, behind } = await read(database);
    if (kept === 0 || updates.length === 0) return "nothing";
    // Asked once. It is asked anew when somebody opens the document, or brings it back.
    if (refused !== null) return refused;
    const merged = new Uint8Array(mergeUpdates([...updates]));
    try {
      const state = await ports.state();
      // Words written into what is gone by now would die unseen: their author is there when the document is opened, and is
      // offered them then.
      if (state !== null && deletesHere(updates, state)) return CHANGED;
      const unseen = missing(merged, state);
      await put(database, BEHIND, [...behind, ...unseen]);
      await ports.contribute(merged);
    } catch (error) {
      const verdict = ports.verdict(error);
      if (verdict !== "later") await put(database, REFUSED, verdict);
      return verdict;
    }
    await acknowledge(database, last, kept);
    return "sent";
  } finally {
    database.close();
  }
}

/** Asks the server again about what it refused. */
export async function forgetRefusal(document: string): Promise<void> {
  const database = await openCopy(document);
  if (database === null) return;
  await put(database, REFUSED, undefined);
  database.close();
}

/** Somebody deleted a part of it meanwhile. Asked anew each time; the answer ends when it is opened. */
export const CHANGED: CopyRefusal = { status: 409, code: "changed_meanwhile", message: "somebody deleted a part of it meanwhile; open it to send what waits" };

function deletesHere(updates: readonly Uint8Array[], state: Uint8Array): boolean {
  const doc = new Doc();
  for (const update of updates) applyUpdate(doc, update);
  let deletes = false;
  doc.on("afterTransaction", ({ deleteSet }: Transaction) => (deletes ||= deleteSet.clients.size > 0));
  applyUpdate(doc, state);
  doc.destroy();
  return deletes;
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
  readonly behind: readonly Range[];
}

/** Opens the database of a copy, if there is one. */
export function openCopy(document: string): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(databaseName(document));
      // Nothing there: the database that asking for it made is not kept.
      request.onupgradeneeded = () => request.transaction?.abort();
      request.onerror = () => resolve(null);
      request.onsuccess = () => resolve(request.result);
    } catch {
      resolve(null);
    }
  });
}

function read(database: IDBDatabase): Promise<Copy> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["updates", "custom"]);
    const [rows, values] = [transaction.objectStore("updates"), transaction.objectStore("custom")];
    const [updates, keys, kept, refused, behind] = [rows.getAll(), rows.getAllKeys(), values.get(KEPT), values.get(REFUSED), values.get(BEHIND)];
    transaction.oncomplete = () =>
      resolve({
        updates: (updates.result as unknown[]).filter((row) => row instanceof Uint8Array),
        last: keys.result.at(-1) ?? null,
        kept: typeof kept.result === "number" ? kept.result : 0,
        refused: refusalIn(refused.result),
        behind: rangesIn(behind.result),
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

export function refusalIn(value: unknown): CopyRefusal | null {
  if (typeof value !== "object" || value === null) return null;
  const { status, code, message } = value as Record<string, unknown>;
  return typeof status === "number" && typeof code === "string" && typeof message === "string" ? { status, code, message } : null;
}

export function rangesIn(value: unknown): readonly Range[] {
  return Array.isArray(value) ? value.filter((range: Partial<Range> | null): range is Range => typeof range?.client === "number" && typeof range.from === "number" && typeof range.to === "number") : [];
}
