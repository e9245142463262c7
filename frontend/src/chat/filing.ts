// What waits of an open chat, kept in step with the store that all tabs and the service worker share (waiting.ts). The chat
// writes it into its page's own record, at once; from there it is moved, and what others did to it is taken over.
import { openChannel } from "../sync/channel";
import { alike, keyOf, readKept, releaseKept } from "./kept";
import type { Waiting } from "./state";
import { channelOf, joined, type MessageStore } from "./waiting";

export interface Filing {
  /** What waits has changed by what was done, or heard, here. */
  readonly file: (before: readonly Waiting[], after: readonly Waiting[]) => void;
  /** What waits was read, and what became of it until now is in the store, as far as that takes it. */
  readonly settled: () => Promise<void>;
  /** Whether all that was filed lies on this device, in the store or in the record. */
  readonly keeps: () => boolean;
  readonly dispose: () => void;
}

export interface FilingPorts {
  readonly document: string;
  readonly store: MessageStore;
  /** What the author calls themselves. */
  readonly name: () => string;
  /** What waits, as the chat has it. */
  readonly waiting: () => readonly Waiting[];
  /** What waits as it is written down, the same object if that is what the chat has, and how far was read. */
  readonly found: (waiting: readonly Waiting[], read: string | null) => void;
  /** All that was filed lies on this device. */
  readonly stored: () => void;
}

export function openFiling({ document, store, ...ports }: FilingPorts): Filing {
  const channel = openChannel(channelOf(document));
  let disposed = false;
  /** Errands to the store, one after the other: none finds less there than was known when it was asked for. */
  let errands: Promise<void> = Promise.resolve();
  const queue = (errand: () => Promise<void>): void => {
    // What is not stored lies in the record yet, as far as the browser takes that.
    errands = errands.then(errand).catch(() => undefined);
  };
  /** What has left the queue here does not come back, whoever still has it written down. */
  const gone = new Set<string>();
  /** What is not in the store as it is here. */
  const unfiled = new Set<string>();

  const write = async (fresh: readonly Waiting[], dropped: readonly string[]): Promise<void> => {
    // Something that the server has confirmed meanwhile is dropped by a later errand.
    await store.put(document, fresh, ports.name());
    const now = ports.waiting();
    for (const one of fresh) if (now.every((other) => other.id !== one.id || alike(other, one))) unfiled.delete(one.id);
    await store.drop(document, dropped);
    releaseKept(document, fresh);
    channel?.postMessage(null);
    if (!disposed && keeps()) ports.stored();
  };
  const keeps = (): boolean => {
    if (unfiled.size === 0) return true;
    const written = new Set(readKept(document).waiting.map(({ id }) => id));
    return [...unfiled].every((id) => written.has(id));
  };

  let stored: readonly Waiting[] = [];
  let looking = false;
  const look = (): void => {
    if (looking) return;
    looking = true;
    queue(async () => {
      looking = false;
      const early = readKept(document).waiting;
      stored = await store.of(document).catch(() => stored);
      if (disposed) return;
      // What another tab is moving was in the one, or is in the other.
      const { waiting, read } = readKept(document);
      const here = ports.waiting();
      const own = here.filter(({ id }) => unfiled.has(id));
      const all = joined(stored, [...early, ...waiting, ...own]).filter(({ id }) => !gone.has(id));
      const same = all.length === here.length && all.every((one, at) => alike(one, here[at] ?? one));
      ports.found(same ? here : all, read);
    });
  };

  const onStorage = ({ key }: StorageEvent): void => {
    if (key === keyOf(document)) look();
  };
  globalThis.addEventListener?.("storage", onStorage);
  if (channel !== null) channel.onmessage = look;
  // Written down by a page that ended, or by an earlier version of the app.
  const { waiting } = readKept(document);
  if (waiting.length > 0) queue(() => write(waiting, []));
  look();

  return {
    file: (before, after) => {
      if (before === after) return;
      const fresh = after.filter((one) => !before.includes(one));
      const dropped = before.map(({ id }) => id).filter((id) => !after.some((one) => one.id === id));
      for (const { id } of fresh) unfiled.add(id);
      for (const id of dropped) {
        unfiled.delete(id);
        gone.add(id);
      }
      queue(() => write(fresh, dropped));
    },
    settled: () => errands,
    keeps,
    dispose: () => {
      disposed = true;
      globalThis.removeEventListener?.("storage", onStorage);
      // What was done last is filed yet, and told of.
      void errands.then(() => channel?.close());
    },
  };
}
