// Pictures that were put into a document while nobody answered: kept on this device until the server has them. The
// document never holds their bytes. It holds the address they are going to have, which can be known before, because the
// server makes it of the bytes; and so a picture that is sent twice is there once.
import { uuidOf } from "../ui/random";
import { createStore, type Store } from "../ui/store";
import { ApiError, type Api } from "./api";
import type { DocumentName } from "./name";

export interface WaitingPicture {
  /** What the document knows it by: an address in a text, the id of a file on a board. */
  readonly key: string;
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

/** Where they lie. Everything may fail: a browser may have no store, or a full one. */
export interface PictureStore {
  readonly keep: (document: string, picture: WaitingPicture) => Promise<void>;
  readonly of: (document: string) => Promise<readonly WaitingPicture[]>;
  readonly drop: (document: string, key: string) => Promise<void>;
  readonly forget: (document: string) => Promise<void>;
}

export interface Pictures {
  /** Keeps a picture and answers its address; `null` if this browser cannot keep it. */
  readonly keep: (file: Blob) => Promise<string | null>;
  /** The bytes behind an address, as long as they wait here. */
  readonly local: (address: string) => Promise<Blob | null>;
  /** What the server has said that it will never take, by address, with its reason. In this visit: the next may find more room. */
  readonly refusals: Pick<Store<ReadonlyMap<string, string>>, "get" | "subscribe">;
  /** Sends what waits, one after the other. While it is at it, being asked again changes nothing. */
  readonly send: () => Promise<void>;
}

export function openPictures(ports: {
  readonly api: Pick<Api, "upload">;
  readonly document: DocumentName;
  readonly store: PictureStore;
  /** The server has answered that it will never take a picture; the words are its own. It stays on this device. */
  readonly refused: (message: string) => void;
}): Pictures {
  const { api, document, store, refused } = ports;
  const refusals = createStore<ReadonlyMap<string, string>>(new Map());
  let sending: Promise<void> | null = null;
  let again = false;

  const waiting = (): Promise<readonly WaitingPicture[]> => store.of(document).catch(() => []);
  /** What is shown from here. Read once: a text may hold many pictures, and most have nothing here. */
  let atHand: Promise<Map<string, WaitingPicture>> | null = null;
  const hand = (): Promise<Map<string, WaitingPicture>> => (atHand ??= waiting().then((all) => new Map(all.map((picture) => [picture.key, picture]))));
  const sendAll = async (): Promise<void> => {
    do {
      again = false;
      for (const picture of await waiting()) {
        if (refusals.get().has(picture.key)) continue;
        try {
          await api.upload(document, blobOf(picture));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          if (error.problem.kind !== "refused") return; // nobody there: the next good moment is another call
          refusals.set(new Map([...refusals.get(), [picture.key, error.problem.message]]));
          refused(error.problem.message);
          continue;
        }
        await store.drop(document, picture.key);
        (await hand()).delete(picture.key);
      }
    } while (again);
  };

  return {
    keep: async (file) => {
      try {
        const bytes = await file.arrayBuffer();
        const key = await addressOf(document, bytes);
        const picture = { key, type: file.type, bytes };
        await store.keep(document, picture);
        (await hand()).set(key, picture);
        return key;
      } catch {
        return null;
      }
    },
    local: async (address) => {
      const found = (await hand()).get(address);
      return found === undefined ? null : blobOf(found);
    },
    refusals,
    send: () => {
      again = true;
      sending ??= sendAll().finally(() => (sending = null));
      return sending;
    },
  };
}

export const blobOf = ({ type, bytes }: WaitingPicture): Blob => new Blob([bytes], { type });

/** The address that the server gives these bytes; mirrors `id_of` in src/document/attachments.rs and `Shown` in src/http/attachments.rs. */
export async function addressOf(document: string, bytes: ArrayBuffer): Promise<string> {
  const name = encodeURIComponent(document).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  return `/api/v1/documents/${name}/attachments/${uuidOf(await sha256(bytes), 8)}`;
}

/** Browsers count only where the connection is safe, and a server in the local network may be plain HTTP. */
async function sha256(bytes: ArrayBuffer): Promise<Uint8Array> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (subtle !== undefined) return new Uint8Array(await subtle.digest("SHA-256", bytes));
  const { digest } = await import("lib0/hash/sha256");
  return digest(new Uint8Array(bytes));
}

const DATABASE = "weft:pictures";
const STORE = "waiting";

/** The browser's store. Opened for each errand: they are few, and an open one would be in the way of a newer version. */
export const browserPictures: PictureStore = {
  keep: (document, picture) => inStore("readwrite", (store) => store.put({ document, ...picture })).then(() => undefined),
  of: (document) =>
    inStore<unknown[]>("readonly", (store) => store.getAll(rowsOf(document))).then((rows) =>
      (rows as WaitingPicture[]).map(({ key, type, bytes }) => ({ key, type, bytes })),
    ),
  drop: (document, key) => inStore("readwrite", (store) => store.delete([document, key])).then(() => undefined),
  forget: (document) => inStore("readwrite", (store) => store.delete(rowsOf(document))).then(() => undefined),
};

const rowsOf = (document: string): IDBKeyRange => IDBKeyRange.bound([document], [document, []]);

function inStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    const failed = ({ error }: { readonly error: DOMException | null }) => reject(error ?? new Error("no store"));
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: ["document", "key"] });
    opening.onerror = () => failed(opening);
    opening.onblocked = () => reject(new Error("no store"));
    opening.onsuccess = () => {
      const database = opening.result;
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
    };
  });
}
