// What lies beside the updates of a copy on this device, and opening one without its document. A document that is opened
// needs no more than this; sending is in send-copy.ts.

/** Why the server will not take it, in its own words. */
export interface CopyRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** The values beside the updates of a copy. */
export const KEPT = "kept";
export const REFUSED = "refused";
/** There is one while the copy is a part of the document: the first answer of the server is still coming. */
export const PART = "part";

export const databaseName = (document: string): string => `${PREFIX}${document}`;
const PREFIX = "weft:document:";

/** The document whose copy a database is; `null` for any other. */
export function documentOf(database: string): string | null {
  return database.startsWith(PREFIX) ? database.slice(PREFIX.length) : null;
}

/** How long the browser may take to open a copy, in ms. A healthy one needs under 100. */
export const PATIENCE = 3_000;

/** Opens the database of a copy; `null` where there is none. Rejects where that cannot be found out: none is not unreadable. */
export function openCopy(document: string, patience = PATIENCE): Promise<IDBDatabase | null> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error("the store does not answer"));
    }, patience);
    const request = indexedDB.open(databaseName(document));
    let none = false;
    request.onupgradeneeded = () => {
      none = true;
      // Nothing there: the database that asking for it made is not kept.
      request.transaction?.abort();
    };
    request.onerror = () => {
      clearTimeout(timer);
      if (none) resolve(null);
      else reject(request.error ?? new Error("no store"));
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      const database = request.result;
      if (late) return database.close();
      // Somebody removes the copy: they need not wait until the server has answered.
      database.onversionchange = () => database.close();
      resolve(database);
    };
  });
}

export function refusalIn(value: unknown): CopyRefusal | null {
  if (typeof value !== "object" || value === null) return null;
  const { status, code, message } = value as Record<string, unknown>;
  return typeof status === "number" && typeof code === "string" && typeof message === "string" ? { status, code, message } : null;
}
