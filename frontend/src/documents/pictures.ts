// Pictures that were put into a document while nobody answered: kept on this device until the server has them. The
// document never holds their bytes. It holds the address they are going to have, which can be known before, because the
// server makes it of the bytes; and so a picture that is sent twice is there once.
import { uuidOf } from "../ui/random";
import { createStore, type Store } from "../ui/store";
import type { Api, Problem } from "./api";
import type { DocumentName } from "./name";
import { sendPicture } from "./picture-fate";
import { rememberUnsent } from "./unsent";
import { rowsOf, waitingStore } from "./waiting-store";

export interface WaitingPicture {
  /** What the document knows it by: an address in a text, the id of a file on a board. */
  readonly key: string;
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

/** Where they lie. Everything may fail: a browser may have no store, or a full one. */
export interface PictureStore {
  /** `false` if the same picture waited there already, for another place that names it. */
  readonly keep: (document: string, picture: WaitingPicture) => Promise<boolean>;
  readonly of: (document: string) => Promise<readonly WaitingPicture[]>;
  readonly drop: (document: string, key: string) => Promise<void>;
  readonly forget: (document: string) => Promise<void>;
}

export interface Pictures {
  /**
   * Keeps a picture here, then sends it, and answers its address when it is there or when that takes longer than a moment:
   * it must not be lost with the page that is left meanwhile. A problem, if it is neither there nor kept.
   */
  readonly put: (file: Blob) => Promise<{ readonly address: string } | { readonly problem: Problem }>;
  /** Keeps a picture and answers its address; `null` if this browser cannot keep it. */
  readonly keep: (file: Blob) => Promise<string | null>;
  /** The bytes behind an address, as long as they wait here. */
  readonly local: (address: string) => Promise<Blob | null>;
  /** What is on this device only, by address, as far as it was looked at. */
  readonly waiting: Pick<Store<ReadonlyMap<string, unknown>>, "get" | "subscribe">;
  /** What the server has said that it will never take, by address, with its reason. In this visit: the next may find more room. */
  readonly refusals: Pick<Store<ReadonlyMap<string, string>>, "get" | "subscribe">;
  /** Sends what waits, one after the other; `false` if something still does. While it is at it, being asked again changes nothing. */
  readonly send: () => Promise<boolean>;
}

export function openPictures(ports: {
  readonly api: Pick<Api, "upload">;
  readonly document: DocumentName;
  readonly store: PictureStore;
  /** The server has answered that it will never take a picture; the words are its own. It stays on this device until `discard`. */
  readonly refused: (message: string, picture: Blob, discard: () => void) => void;
  /** How long {@link Pictures.put} waits for the server, in ms. */
  readonly moment?: number;
}): Pictures {
  const { api, document, store, refused } = ports;
  const refusals = createStore<ReadonlyMap<string, string>>(new Map());
  const atHand = createStore<ReadonlyMap<string, WaitingPicture>>(new Map());
  let sending: Promise<boolean> | null = null;
  /** Put in for the first time, at this moment: whoever does so is told of a refusal, and nothing of it stays. */
  const fresh = new Map<string, { problem: Problem | null; askers: number }>();
  let again = false;

  const waiting = (): Promise<readonly WaitingPicture[]> => store.of(document).catch(() => []);
  /** What is shown from here. Read once: a text may hold many pictures, and most have nothing here. */
  let read: Promise<void> | null = null;
  const hand = async (): Promise<ReadonlyMap<string, WaitingPicture>> => {
    await (read ??= waiting().then((all) => atHand.set(new Map([...atHand.get(), ...all.map((picture) => [picture.key, picture] as const)]))));
    return atHand.get();
  };
  const drop = async (key: string): Promise<void> => {
    await store.drop(document, key);
    atHand.set(new Map([...(await hand())].filter(([other]) => other !== key)));
  };
  const keep = async (file: Blob): Promise<{ readonly key: string; readonly isNew: boolean } | null> => {
    try {
      const bytes = await file.arrayBuffer();
      const key = await addressOf(document, bytes);
      const picture = { key, type: file.type, bytes };
      const isNew = await store.keep(document, picture);
      atHand.set(new Map([...(await hand()), [key, picture]]));
      return { key, isNew };
    } catch {
      return null;
    }
  };
  const discard = async (key: string): Promise<void> => {
    await drop(key);
    refusals.set(new Map([...refusals.get()].filter(([other]) => other !== key)));
  };
  const send = (): Promise<boolean> => {
    again = true;
    sending ??= sendAll().finally(() => (sending = null));
    return sending;
  };
  const sendAll = async (): Promise<boolean> => {
    let all = true;
    do {
      again = false;
      all = true;
      for (const picture of await waiting()) {
        if (refusals.get().has(picture.key)) continue;
        const fate = await sendPicture(api, document, blobOf(picture));
        if (fate.kind === "waits") {
          all = false;
          // Nobody there: nobody is there for the others either, and the next good moment is another call.
          if (fate.problem.kind === "unreachable") return false;
        } else if (fate.kind === "stored") await drop(picture.key);
        else {
          const attempt = fresh.get(picture.key);
          if (attempt === undefined) {
            refusals.set(new Map([...refusals.get(), [picture.key, fate.problem.message]]));
            refused(fate.problem.message, blobOf(picture), () => void discard(picture.key).catch(() => undefined));
          } else {
            attempt.problem = fate.problem;
            await drop(picture.key);
          }
        }
      }
    } while (again);
    return all;
  };

  return {
    put: async (file) => {
      const kept = await keep(file);
      if (kept === null) {
        // Nothing is stored here: it gets there now, or not at all.
        const fate = await sendPicture(api, document, file);
        return fate.kind === "stored" ? { address: fate.address } : { problem: fate.problem };
      }
      const { key: address, isNew } = kept;
      const attempt = fresh.get(address) ?? (isNew ? { problem: null, askers: 0 } : null);
      if (attempt !== null) {
        attempt.askers += 1;
        fresh.set(address, attempt);
      }
      await Promise.race([send(), new Promise((resolve) => setTimeout(resolve, ports.moment ?? MOMENT))]);
      if (attempt === null) return { address };
      attempt.askers -= 1;
      if (attempt.askers === 0) fresh.delete(address);
      return attempt.problem === null ? { address } : { problem: attempt.problem };
    },
    keep: async (file) => (await keep(file))?.key ?? null,
    local: async (address) => {
      const found = (await hand()).get(address);
      return found === undefined ? null : blobOf(found);
    },
    waiting: atHand,
    refusals,
    send,
  };
}

/** Long enough for a server that is near: then the picture is there before anybody asks for it. In ms. */
const MOMENT = 300;

export const blobOf = ({ type, bytes }: WaitingPicture): Blob => new Blob([bytes], { type });

/** The address that the server gives these bytes; mirrors `id_of` in src/document/attachments.rs and `Shown` in src/http/attachments.rs. */
export async function addressOf(document: string, bytes: ArrayBuffer): Promise<string> {
  return `${addressesOf(document)}${uuidOf(await sha256(bytes), 8)}`;
}

/** What the addresses of all pictures of a document begin with. */
export function addressesOf(document: string): string {
  const name = encodeURIComponent(document).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  return `/api/v1/documents/${name}/attachments/`;
}

/** Whether a picture lies beside another document than the one whose addresses begin so. */
export function isElsewhere(address: string | null, own: string): address is string {
  return address !== null && /^\/api\/v1\/documents\/[^/]+\/attachments\//.test(address) && !address.startsWith(own);
}

/** Browsers count only where the connection is safe, and a server in the local network may be plain HTTP. */
async function sha256(bytes: ArrayBuffer): Promise<Uint8Array> {
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (subtle !== undefined) return new Uint8Array(await subtle.digest("SHA-256", bytes));
  const { digest } = await import("lib0/hash/sha256");
  return digest(new Uint8Array(bytes));
}

const inStore = waitingStore("weft:pictures", "key");

/** The browser's store. */
export const browserPictures: PictureStore = {
  keep: (document, picture) =>
    inStore("readwrite", (store) => {
      const alike = store.count([document, picture.key]);
      store.put({ document, ...picture });
      return alike;
    }).then((count) => {
      rememberUnsent(document);
      return count === 0;
    }),
  of: (document) =>
    inStore<unknown[]>("readonly", (store) => store.getAll(rowsOf(document))).then((rows) =>
      (rows as WaitingPicture[]).map(({ key, type, bytes }) => ({ key, type, bytes })),
    ),
  drop: (document, key) => inStore("readwrite", (store) => store.delete([document, key])).then(() => undefined),
  forget: (document) => inStore("readwrite", (store) => store.delete(rowsOf(document))).then(() => undefined),
};
