// A database of this browser for what waits for the server beside the copies of documents: rows, each of one document and
// known by a key. Pages and the service worker share it.

/** Does something with the rows, and answers once that is stored. Rejects where there is no store, or a full one. */
export type InStore = <T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>) => Promise<T>;

const STORE = "waiting";

/** All rows of a document. */
export const rowsOf = (document: string): IDBKeyRange => IDBKeyRange.bound([document], [document, []]);

/** Opened for each errand: they are few, and an open one would be in the way of a newer version. */
export function waitingStore(name: string, key: string): InStore {
  return (mode, act) =>
    new Promise((resolve, reject) => {
      const opening = indexedDB.open(name, 1);
      const failed = ({ error }: { readonly error: DOMException | null }) => reject(error ?? new Error("no store"));
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: ["document", key] });
      opening.onerror = () => failed(opening);
      opening.onblocked = () => reject(new Error("no store"));
      opening.onsuccess = () => {
        const database = opening.result;
        try {
          const transaction = database.transaction(STORE, mode);
          const request = act(transaction.objectStore(STORE));
          transaction.oncomplete = () => {
            database.close();
            resolve(request.result);
          };
          transaction.onabort = () => {
            database.close();
            failed(transaction);
          };
        } catch (error) {
          // The browser is about to close it, or will not take what is put in.
          database.close();
          failed({ error: error as DOMException });
        }
      };
    });
}
