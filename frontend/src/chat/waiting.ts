// Messages of chats that wait for the server, in a database that pages and the service worker share. A page writes them
// down in kept.ts first, which takes no time; from there they are moved here, those of earlier versions of the app too.
import { rememberUnsent } from "../documents/unsent";
import { rowsOf, waitingStore } from "../documents/waiting-store";
import { openChannel } from "../sync/channel";
import { forgetKept, readKept, releaseKept, waitingIn } from "./kept";
import type { Waiting } from "./state";

/** One of them, with what its author called themselves when it was written down. */
export interface Row extends Waiting {
  readonly name: string;
}

/** Where they lie. Everything may fail: a browser may have no store, or a full one. */
export interface MessageStore {
  /** Also in the place of one with that id. */
  readonly put: (document: string, messages: readonly Waiting[], name: string) => Promise<void>;
  readonly drop: (document: string, ids: readonly string[]) => Promise<void>;
  /** In the order in which they were written. */
  readonly of: (document: string) => Promise<readonly Row[]>;
  /** Which documents have some. */
  readonly documents: () => Promise<readonly string[]>;
  readonly forget: (document: string) => Promise<void>;
}

/** Said there, by whoever changed what waits of a chat in the store. */
export const channelOf = (document: string): string => `weft:chat:${document}`;

/** What waits of a chat on this device. Rejects where that cannot be found out. */
export async function waitingOf(document: string): Promise<readonly Waiting[]> {
  // In this order, because that is how they are moved.
  const kept = readKept(document).waiting;
  return joined(await browserMessages.of(document), kept);
}

/** Messages by their ids, the later ones of an id in the place of the earlier. */
export function joined(some: readonly Waiting[], others: readonly Waiting[]): readonly Waiting[] {
  const all = new Map([...some, ...others].map(({ id, text, at, refused }) => [id, { id, text, at, refused }]));
  return [...all.values()].sort((a, b) => a.at - b.at);
}

/** What only pages can read is moved. For where nobody has the document open. */
export async function adoptWaiting(document: string, name: string): Promise<void> {
  const { waiting } = readKept(document);
  if (waiting.length === 0) return;
  await browserMessages.put(document, waiting, name);
  releaseKept(document, waiting);
}

/** Removes what this device has of a document's chat, messages that wait included. */
export async function forgetChat(document: string): Promise<void> {
  forgetKept(document);
  await browserMessages.forget(document).catch(() => undefined);
  // Without one, other tabs learn of it when they are opened anew.
  const channel = openChannel(channelOf(document));
  channel?.postMessage(null);
  channel?.close();
}

const inStore = waitingStore("weft:messages", "id");

/** The browser's store. */
export const browserMessages: MessageStore = {
  put: async (document, messages, name) => {
    if (messages.length === 0) return;
    await inStore("readwrite", (store) => last(messages.map((message) => store.put({ document, ...message, name }))));
    rememberUnsent(document);
  },
  drop: async (document, ids) => {
    if (ids.length > 0) await inStore("readwrite", (store) => last(ids.map((id) => store.delete([document, id]))));
  },
  of: async (document) => {
    const rows = await inStore<unknown[]>("readonly", (store) => store.getAll(rowsOf(document)));
    return rows.flatMap((row) => rowIn(row) ?? []).sort((a, b) => a.at - b.at);
  },
  documents: async () => {
    const keys = await inStore("readonly", (store) => store.getAllKeys());
    return [...new Set(keys.map((key) => String((key as readonly unknown[])[0])))];
  },
  forget: (document) => inStore("readwrite", (store) => store.delete(rowsOf(document))).then(() => undefined),
};

function rowIn(value: unknown): Row | null {
  const waiting = waitingIn(value);
  if (waiting === null) return null;
  const { name } = value as Record<string, unknown>;
  return { ...waiting, name: typeof name === "string" ? name : "" };
}

function last<T>(requests: readonly IDBRequest<T>[]): IDBRequest<T> {
  const request = requests.at(-1);
  if (request === undefined) throw new Error("nothing to do");
  return request;
}
