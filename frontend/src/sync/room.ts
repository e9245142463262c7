// One open document: the shared data, its copy on this device and its connection, joined by the status machine.
// Knows neither the DOM nor an editor; the browser's signals come in through `Signals`.
import { Awareness } from "y-protocols/awareness";
import { applyUpdate, Doc, type Transaction } from "yjs";
import type { Connection, ConnectionPorts } from "./connection";
import type { CopyPorts, LocalCopy } from "./copy";
import { watchStalls } from "./stall";
import { PATIENCE, START, isFilled, isOnlyInThisTab, isReadable, statusOf, step, type Event, type Facts, type Status } from "./status";
import type { Channel } from "./channel";
import { openTabs } from "./tabs";

export interface RoomState {
  readonly status: Status;
  /** Changes would be lost with this tab: the browser cannot store them and the server does not have them. */
  readonly onlyInThisTab: boolean;
  /** Whether this browser stores the document: without a server it would be there again. */
  readonly stores: boolean;
}

export interface Room {
  readonly document: string;
  readonly doc: Doc;
  readonly awareness: Awareness;
  /** The same object until something changed, so that a view may compare by identity. */
  readonly state: () => RoomState;
  readonly subscribe: (listener: () => void) => () => void;
  /** Tries at once; after an end by the server this is the way back. */
  readonly retry: () => void;
  /** Stores nothing any more. Whoever removes the copy of an open document calls it first. */
  readonly letGoOfCopy: () => void;
  readonly dispose: () => void;
}

/** What the surroundings tell a room. Each subscription returns its own end. */
export interface Signals {
  readonly network: () => "up" | "down";
  readonly onNetwork: (listener: (network: "up" | "down") => void) => () => void;
  /** The page became visible or got the focus: a good moment to look whether the server is back. */
  readonly onWake: (listener: () => void) => () => void;
}

export interface Expected {
  /** About how large it is. */
  readonly bytes: number;
  /** Whether a part of it can be shown for what it is. */
  readonly shows: (doc: Doc) => boolean;
}

export interface AheadPorts {
  readonly doc: Doc;
  /** The origin of what is put into the document. */
  readonly origin: unknown;
  /** Told of every packet, in bytes. */
  readonly received: (bytes: number) => void;
  readonly signal: AbortSignal;
}

export interface RoomPorts {
  readonly base: string;
  readonly signals: Signals;
  readonly connect: (ports: ConnectionPorts) => Connection;
  readonly openCopy: (document: string, doc: Doc, ports: CopyPorts) => LocalCopy;
  /** What is known of a document that this device has not got, or not all of; `null` if nothing is. */
  readonly expect?: () => Promise<Expected | null>;
  /** Brings a large document before the socket does. Answers whether all of it came. */
  readonly fetchAhead?: (ports: AheadPorts) => Promise<boolean>;
  /** The document as one update, asked for by HTTP when no socket will do; `null` if that fails too. */
  readonly read?: () => Promise<Uint8Array | null>;
  /** For tests. */
  readonly openChannel?: (name: string) => Channel;
  /** Whether the server answers to plain HTTP. Asked when no socket will open. */
  readonly reachable?: () => Promise<boolean>;
  /** Whether the server says that it cannot store. Asked when nothing is acknowledged. */
  readonly refusesToStore?: () => Promise<boolean>;
  /** The first of some changes that wait for the server. */
  readonly onUnsent?: (document: string) => void;
  /** Called once when the document is on this device for the first time in this visit. */
  readonly onKept?: (document: string) => void;
}

/** How long a change may wait for its acknowledgement before that is worth a word, in ms. */
const SLOW = 800;

/** From this size on a document is fetched before its socket is opened, in bytes. */
export const LARGE = 1_000_000;

/** The socket waits for the word how large the document is, but no longer than this, in ms. */
const WORD = 500;

/** A first answer that takes longer is worth a word, in ms. */
const LONG = 1_000;

export function openRoom(document: string, ports: RoomPorts): Room {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const listeners = new Set<() => void>();
  const ends: (() => void)[] = [];
  let facts: Facts = { ...START, network: ports.signals.network() };
  let state = stateOf(facts);
  let disposed = false;
  let slow: ReturnType<typeof setTimeout> | undefined;
  /** Whether the other tabs know that everything is durable, if it is. */
  let told = true;
  let reading = false;
  let expected: Expected | null = null;
  let lasts: ReturnType<typeof setTimeout> | undefined;
  const left = new AbortController();

  const advance = (event: Event): void => {
    if (disposed) return;
    const before = facts;
    facts = step(facts, event);
    if (facts.kept > 0 && before.kept === 0) ports.onUnsent?.(document);
    if (facts.kept !== before.kept || event.type === "synced") copy.keep(facts.kept);
    if (facts.unsaved === 0 || facts.link.phase !== "live") {
      clearTimeout(slow);
      slow = undefined;
    } else slow ??= setTimeout(() => advance({ type: "waited" }), SLOW);
    stalls.waiting(facts.link.phase === "live" ? facts.unsaved : null);
    if (event.type === "closed" && !facts.everOpened && facts.failures >= PATIENCE && !facts.blocked) {
      void ports.reachable?.().then((reachable) => reachable && advance({ type: "blocked" }));
    }
    if (event.type === "synced") {
      clearTimeout(lasts);
      copy.part(false);
      if (facts.copy !== "refused") ports.onKept?.(document);
      // What another tab stored and did not live to say: it goes to the server from here.
      void copy.refresh();
    }
    if (event.type === "local-change" || event.type === "change-elsewhere") told = false;
    // An own change is counted by the connection only after it was heard of here.
    if (!told && event.type !== "local-change" && facts.link.phase === "live" && facts.unsaved === 0) {
      told = true;
      tabs.durable();
    }
    const next = stateOf(facts);
    read(next.status);
    if (same(next, state)) return;
    state = next;
    for (const listener of listeners) listener();
  };

  const stalls = watchStalls({
    refusesToStore: ports.refusesToStore ?? (() => Promise.resolve(false)),
    stalled: (why) => advance({ type: "stalled", why }),
  });

  /** Where no socket will do, what is there is at least to be seen. */
  const read = (status: Status): void => {
    if (reading || !(status.kind === "full" || status.kind === "no-websocket") || isReadable(status)) return;
    reading = true;
    void ports.read?.().then((update) => {
      if (disposed || update === null) return void (reading = false);
      // As if it had come by the socket: nothing of it is news to the server.
      applyUpdate(doc, update, connection.origin);
      advance({ type: "read" });
    });
  };

  const copy = ports.openCopy(document, doc, {
    tell: (event) => advance({ type: event === "refused" ? "copy-refused" : "copy-stored" }),
    wanted: () => facts.link.phase !== "refused" || facts.link.why.kind !== "gone",
    // Said once more: whoever looked before it was stored has found nothing, and taken the name out.
    waits: () => ports.onUnsent?.(document),
  });
  const tabs = openTabs({
    document,
    doc,
    // A part would be taken for the whole.
    filled: () => isFilled(facts) && isReadable(statusOf(facts)),
    // A count that is not read yet has it in it.
    onChange: () => facts.copy !== "loading" && advance({ type: "change-elsewhere" }),
    onState: () => advance({ type: "read" }),
    onDurable: () => advance({ type: "durable-elsewhere" }),
    ...(ports.openChannel ? { open: ports.openChannel } : {}),
  });
  const received = (bytes: number): void => {
    if (facts.everLive) return;
    advance({ type: "received", bytes, shows: facts.coming.shows || expected?.shows(doc) === true });
  };
  const connection = ports.connect({
    base: ports.base,
    document,
    doc,
    awareness,
    report: (event) => (event.type === "came" ? received(event.bytes) : advance(event)),
  });

  const onUpdate = (update: Uint8Array, _origin: unknown, _doc: Doc, transaction: Transaction): void => {
    if (!transaction.local) return;
    tabs.changed(update);
    advance({ type: "local-change" });
  };
  doc.on("update", onUpdate);
  ends.push(
    ports.signals.onNetwork((network) => {
      advance({ type: "network", network });
      // The browser speaks of the network, not of our server, which may be this very machine. Only a new socket knows.
      if (network === "down") connection.bounce();
      else connection.hurry();
    }),
    ports.signals.onWake(() => connection.hurry()),
  );

  /** A copy that is begun is marked as one: nobody must take a part for the document. */
  const onPart = (_update: Uint8Array, origin: unknown): void => {
    if (origin !== connection.origin) return;
    doc.off("update", onPart);
    // An answer that was all of it is called so before this runs.
    queueMicrotask(() => isFilled(facts) || disposed || copy.part(true));
  };

  /** A large document comes by HTTP. Whatever goes wrong, the socket brings what is missing. */
  const ahead = async (expect: () => Promise<Expected | null>): Promise<void> => {
    const known = expect().then(
      (known) => {
        if (known === null || disposed) return null;
        expected = known;
        advance({ type: "expected", bytes: known.bytes });
        return known;
      },
      () => null,
    );
    const large = (await atMost(WORD, known))?.bytes ?? 0;
    if (disposed || large < LARGE || facts.read) return;
    const all = await ports.fetchAhead?.({ doc, origin: connection.origin, received, signal: left.signal }).catch(() => false);
    if (disposed || all !== true) return;
    copy.part(false);
    advance({ type: "read" });
  };

  // The copy first, the socket second: the server is then asked only for what is missing here.
  void copy.loaded.then((loaded) => {
    if (disposed) return;
    advance(loaded === null ? { type: "copy-refused" } : { type: "copy-loaded", hasContent: loaded.known, kept: loaded.kept });
    tabs.hello();
    if (loaded?.known === true) return connection.open();
    lasts = setTimeout(() => advance({ type: "lasts" }), LONG);
    doc.on("update", onPart);
    if (ports.expect === undefined) return connection.open();
    void ahead(ports.expect).then(() => disposed || connection.open());
  });

  return {
    document,
    doc,
    awareness,
    state: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retry: () => connection.open(),
    letGoOfCopy: () => copy.dispose(),
    dispose: () => {
      if (disposed) return;
      disposed = true;
      clearTimeout(slow);
      clearTimeout(lasts);
      left.abort();
      stalls.dispose();
      for (const end of ends) end();
      doc.off("update", onUpdate);
      connection.dispose();
      tabs.dispose();
      copy.dispose();
      awareness.destroy();
      doc.destroy();
    },
  };
}

function stateOf(facts: Facts): RoomState {
  return { status: statusOf(facts), onlyInThisTab: isOnlyInThisTab(facts), stores: facts.copy !== "refused" };
}

/** What it resolves to, unless that takes longer. */
function atMost<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  return Promise.race([work, new Promise<undefined>((resolve) => setTimeout(resolve, ms))]);
}

/** Both are made of plain words and numbers. */
function same(a: RoomState, b: RoomState): boolean {
  return a.onlyInThisTab === b.onlyInThisTab && a.stores === b.stores && JSON.stringify(a.status) === JSON.stringify(b.status);
}
