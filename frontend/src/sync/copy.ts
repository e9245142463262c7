// The document's copy on this device: y-indexeddb for the content, two custom values beside it.
import { IndexeddbPersistence, clearDocument } from "y-indexeddb";
import type { Doc } from "yjs";

export interface LoadedCopy {
  /** Whether this browser has ever had the document, even if it was empty then. */
  readonly known: boolean;
  /** Own changes of earlier visits that never reached the server. */
  readonly kept: number;
}

export interface LocalCopy {
  /** Resolves once the copy is in the document; `null` when this browser cannot store. Never rejects. */
  readonly loaded: Promise<LoadedCopy | null>;
  /** Remembers how many own changes wait for the server, 0 meaning that the document was seen in step with it. */
  keep(count: number): void;
  dispose(): void;
}

/** How long to wait for the browser's store before going on without it, in ms. A healthy one needs under 100. */
const PATIENCE = 3_000;

const KEPT = "kept";

const databaseName = (document: string): string => `weft:document:${document}`;

export function openIndexedDbCopy(document: string, doc: Doc): LocalCopy {
  let persistence: IndexeddbPersistence | null = null;
  let disposed = false;

  const load = async (): Promise<LoadedCopy | null> => {
    // The package does not report a failing open (private windows, a full disk), so ask the browser first.
    if (!(await canOpen(databaseName(document))) || disposed) return null;
    persistence = new IndexeddbPersistence(databaseName(document), doc);
    await persistence.whenSynced;
    const kept: unknown = await persistence.get(KEPT);
    const count = typeof kept === "number" && kept > 0 ? kept : 0;
    return { known: typeof kept === "number" || doc.store.clients.size > 0, kept: count };
  };

  return {
    loaded: within(PATIENCE, load()),
    keep: (count) => {
      persistence?.set(KEPT, count).catch(() => undefined);
    },
    dispose: () => {
      disposed = true;
      void persistence?.destroy();
    },
  };
}

/** Removes the copy from this device. Call it only after the document was disposed of. */
export async function removeCopy(document: string): Promise<void> {
  await clearDocument(databaseName(document));
}

/** What a copy holds, without opening the document. `null` where there is none. */
export function inspectCopy(document: string): Promise<{ readonly bytes: number; readonly kept: number } | null> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(databaseName(document));
      // Nothing there: the database that asking for it made is not kept.
      request.onupgradeneeded = () => request.transaction?.abort();
      request.onerror = () => resolve(null);
      request.onsuccess = () => {
        const database = request.result;
        const transaction = database.transaction(["updates", "custom"]);
        const updates = transaction.objectStore("updates").getAll();
        const kept = transaction.objectStore("custom").get(KEPT);
        transaction.oncomplete = () => {
          const stored: readonly unknown[] = updates.result;
          const bytes = stored.reduce((sum: number, update) => sum + (update instanceof Uint8Array ? update.byteLength : 0), 0);
          resolve({ bytes, kept: typeof kept.result === "number" ? kept.result : 0 });
          database.close();
        };
        transaction.onerror = () => {
          resolve(null);
          database.close();
        };
      };
    } catch {
      resolve(null);
    }
  });
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
