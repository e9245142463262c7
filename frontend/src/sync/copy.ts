// The document's copy on this device: y-indexeddb for the content, two custom values beside it.
import { IndexeddbPersistence, clearDocument, fetchUpdates } from "y-indexeddb";
import { encodeStateAsUpdate, type Doc } from "yjs";
import { databaseName, KEPT, openCopy, PART, PATIENCE, REFUSED, refusalIn } from "./behind";

export interface LoadedCopy {
  /** Whether this browser has ever had all of the document, even if it was empty then. */
  readonly known: boolean;
  /** Own changes of earlier visits that never reached the server. */
  readonly kept: number;
}

/** What may happen to a copy after it was opened. */
export type CopyEvent =
  /** The browser refused to store a change: its disk is full, or it has second thoughts. It is tried again. */
  | "refused"
  /** It stores again, and has everything. */
  | "stored";

export interface CopyPorts {
  readonly tell: (event: CopyEvent) => void;
  /** Whether a copy that somebody removed should be there again. */
  readonly wanted: () => boolean;
  /** Own changes that wait for the server are stored by now, and so is that they wait. */
  readonly waits?: () => void;
}

export interface LocalCopy {
  /** Resolves once the copy is in the document; `null` when this browser cannot store. Never rejects. */
  readonly loaded: Promise<LoadedCopy | null>;
  /** Remembers how many own changes wait for the server, 0 meaning that the document was seen in step with it. */
  keep(count: number): void;
  /** Remembers whether this is only a part of the document, of which the rest is still to come for the first time. */
  part(is: boolean): void;
  /** Takes what other tabs have stored meanwhile into the document. */
  refresh(): Promise<void>;
  dispose(): void;
}

/** How long after a refusal storing is tried again, in ms. */
const AGAIN = 5_000;

export function openIndexedDbCopy(document: string, doc: Doc, ports: CopyPorts = { tell: () => undefined, wanted: () => true }): LocalCopy {
  const { tell } = ports;
  const name = databaseName(document);
  let persistence: IndexeddbPersistence | null = null;
  let disposed = false;
  let refused = false;
  let kept: number | null = null;
  let part = false;
  let again: ReturnType<typeof setTimeout> | undefined;

  /** Opens the store and watches over it: the package itself says nothing of a change that was not stored. */
  const open = async (): Promise<IndexeddbPersistence | null> => {
    // Nor of an open that fails (private windows, a full disk), so ask the browser first.
    if (!(await canOpen(name)) || disposed) return null;
    const opened = new IndexeddbPersistence(name, doc);
    guard(opened, doc, () => opened === persistence && refuse());
    await opened.whenSynced;
    if (disposed) return opened;
    const { db } = opened;
    // Aborted transactions of all its stores end up here.
    db?.addEventListener("abort", () => opened === persistence && refuse());
    // Deleted by the settings in another tab, or by the browser: what is open here is stored anew.
    for (const event of ["versionchange", "close"]) db?.addEventListener(event, () => opened === persistence && renew());
    return opened;
  };
  const refuse = (): void => {
    if (disposed) return;
    refused = true;
    tell("refused");
    again ??= setTimeout(() => {
      again = undefined;
      void store();
    }, AGAIN);
  };
  /** The whole state, because it is not known which changes are missing. */
  const store = async (): Promise<void> => {
    if (disposed) return;
    const db = persistence?.db ?? null;
    if (db === null) return renew();
    const done = await write(db, [["updates", encodeStateAsUpdate(doc)], ...(kept === null ? [] : [["custom", kept, KEPT] as const])]);
    if (!done) return refuse();
    refused = false;
    tell("stored");
    if (kept !== null && kept > 0) ports.waits?.();
  };
  const renew = (): void => {
    // Lets go of the document first: what is written into a closed store throws.
    void persistence?.destroy();
    persistence = null;
    if (disposed || !ports.wanted()) return;
    void within(PATIENCE, open()).then(async (opened) => {
      if (disposed) return void opened?.destroy();
      if (opened === null) return refuse();
      persistence = opened;
      await store();
    });
  };

  const load = async (): Promise<LoadedCopy | null> => {
    persistence = await open();
    if (persistence === null) return null;
    const stored: unknown = await persistence.get(KEPT);
    const count = typeof stored === "number" && stored > 0 ? stored : 0;
    // From here on it is asked anew, and what comes of it is seen.
    if (refusalIn(await persistence.get(REFUSED)) !== null) void persistence.del(REFUSED);
    if (typeof stored === "number") kept ??= count;
    part ||= (await persistence.get(PART)) !== undefined;
    return { known: !part && (typeof stored === "number" || doc.store.clients.size > 0), kept: count };
  };

  return {
    loaded: within(PATIENCE, load()),
    keep: (count) => {
      kept = count;
      // It goes along with the content when that is stored again.
      if (!refused) {
        persistence?.set(KEPT, count).then(
          () => void (count > 0 && ports.waits?.()),
          () => undefined,
        );
      }
    },
    part: (is) => {
      if (is === part) return;
      part = is;
      // Not stored, it is asked for as a document that is here: all the same, but for what is shown meanwhile.
      (is ? persistence?.set(PART, 1) : persistence?.del(PART))?.then(undefined, () => undefined);
    },
    refresh: async () => {
      if (persistence !== null && !refused) await fetchUpdates(persistence).catch(() => undefined);
    },
    dispose: () => {
      disposed = true;
      clearTimeout(again);
      void persistence?.destroy();
    },
  };
}

/**
 * A store that fails at once throws into the change that was to be stored, and a document that fails while it tells of a
 * change never tells of one again: nothing more would be sent, or shown.
 */
function guard(persistence: IndexeddbPersistence, doc: Doc, failed: () => void): void {
  const store = persistence._storeUpdate;
  doc.off("update", store);
  // Under this name the package takes it away again.
  persistence._storeUpdate = (update, origin) => {
    try {
      store(update, origin);
    } catch {
      failed();
    }
  };
  doc.on("update", persistence._storeUpdate);
}

type Row = readonly [store: "updates" | "custom", value: unknown, key?: string];

/** Whether all of it was stored. */
function write(db: IDBDatabase, rows: readonly Row[]): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const transaction = db.transaction(["updates", "custom"], "readwrite");
      transaction.oncomplete = () => resolve(true);
      transaction.onabort = () => resolve(false);
      for (const [store, value, key] of rows) transaction.objectStore(store).put(value, key);
    } catch {
      resolve(false);
    }
  });
}

/** Removes the copy from this device. Call it only after the document was disposed of. */
export async function removeCopy(document: string): Promise<void> {
  await clearDocument(databaseName(document));
}

/** What a copy holds, without opening the document. `null` where there is none. Rejects where that cannot be found out. */
export async function inspectCopy(document: string): Promise<{ readonly bytes: number; readonly kept: number } | null> {
  const database = await openCopy(document);
  if (database === null) return null;
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(["updates", "custom"]);
      const [updates, kept] = [transaction.objectStore("updates").getAll(), transaction.objectStore("custom").get(KEPT)];
      transaction.oncomplete = () => {
        const stored: readonly unknown[] = updates.result;
        const bytes = stored.reduce((sum: number, update) => sum + (update instanceof Uint8Array ? update.byteLength : 0), 0);
        resolve({ bytes, kept: typeof kept.result === "number" ? kept.result : 0 });
      };
      transaction.onabort = () => reject(transaction.error ?? new Error("no store"));
    });
  } finally {
    database.close();
  }
}

function canOpen(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(name);
      // Creating the stores is left to the package: without a version bump of its own it would find none.
      request.onupgradeneeded = () => {
        request.result.createObjectStore("updates", { autoIncrement: true });
        request.result.createObjectStore("custom");
      };
      request.onsuccess = () => {
        request.result.close();
        resolve(true);
      };
      request.onerror = () => resolve(false);
      request.onblocked = () => resolve(false);
    } catch {
      resolve(false);
    }
  });
}

function within<T>(ms: number, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ms);
    work
      .then(resolve, () => resolve(null))
      .finally(() => clearTimeout(timer));
  });
}
