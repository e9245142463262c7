// One open document: the shared data, its copy on this device and its connection, joined by the status machine.
// Knows neither the DOM nor an editor; the browser's signals come in through `Signals`.
import { Awareness } from "y-protocols/awareness";
import { Doc, type Transaction } from "yjs";
import type { Connection, ConnectionPorts } from "./connection";
import type { LocalCopy } from "./copy";
import { PATIENCE, START, isOnlyInThisTab, statusOf, step, type Event, type Facts, type Status } from "./status";

export interface RoomState {
  readonly status: Status;
  /** Changes would be lost with this tab: the browser cannot store them and the server does not have them. */
  readonly onlyInThisTab: boolean;
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
  readonly dispose: () => void;
}

/** What the surroundings tell a room. Each subscription returns its own end. */
export interface Signals {
  readonly network: () => "up" | "down";
  readonly onNetwork: (listener: (network: "up" | "down") => void) => () => void;
  /** The page became visible or got the focus: a good moment to look whether the server is back. */
  readonly onWake: (listener: () => void) => () => void;
}

export interface RoomPorts {
  readonly base: string;
  readonly signals: Signals;
  readonly connect: (ports: ConnectionPorts) => Connection;
  readonly openCopy: (document: string, doc: Doc) => LocalCopy;
  /** Whether the server answers to plain HTTP. Asked when no socket will open. */
  readonly reachable?: () => Promise<boolean>;
  /** Called once when the document is on this device for the first time in this visit. */
  readonly onKept?: (document: string) => void;
}

/** How long a change may wait for its acknowledgement before that is worth a word, in ms. */
const SLOW = 800;

export function openRoom(document: string, ports: RoomPorts): Room {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const listeners = new Set<() => void>();
  const ends: (() => void)[] = [];
  let facts: Facts = { ...START, network: ports.signals.network() };
  let state = stateOf(facts);
  let disposed = false;
  let slow: ReturnType<typeof setTimeout> | undefined;

  const advance = (event: Event): void => {
    if (disposed) return;
    const before = facts;
    facts = step(facts, event);
    if (facts.kept !== before.kept || event.type === "synced") copy.keep(facts.kept);
    if (facts.unsaved === 0 || facts.link.phase !== "live") {
      clearTimeout(slow);
      slow = undefined;
    } else slow ??= setTimeout(() => advance({ type: "waited" }), SLOW);
    if (event.type === "closed" && !facts.everOpened && facts.failures >= PATIENCE && !facts.blocked) {
      void ports.reachable?.().then((reachable) => reachable && advance({ type: "blocked" }));
    }
    if (event.type === "synced" && facts.copy !== "refused") ports.onKept?.(document);
    const next = stateOf(facts);
    if (same(next, state)) return;
    state = next;
    for (const listener of listeners) listener();
  };

  const copy = ports.openCopy(document, doc);
  const connection = ports.connect({ base: ports.base, document, doc, awareness, report: advance });

  const onUpdate = (_update: Uint8Array, _origin: unknown, _doc: Doc, transaction: Transaction): void => {
    if (transaction.local) advance({ type: "local-change" });
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

  // The copy first, the socket second: the server is then asked only for what is missing here.
  void copy.loaded.then((loaded) => {
    if (disposed) return;
    advance(loaded === null ? { type: "copy-refused" } : { type: "copy-loaded", hasContent: loaded.known, kept: loaded.kept });
    connection.open();
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
    dispose: () => {
      if (disposed) return;
      disposed = true;
      clearTimeout(slow);
      for (const end of ends) end();
      doc.off("update", onUpdate);
      connection.dispose();
      copy.dispose();
      awareness.destroy();
      doc.destroy();
    },
  };
}

function stateOf(facts: Facts): RoomState {
  return { status: statusOf(facts), onlyInThisTab: isOnlyInThisTab(facts) };
}

/** Both are made of plain words and numbers. */
function same(a: RoomState, b: RoomState): boolean {
  return a.onlyInThisTab === b.onlyInThisTab && JSON.stringify(a.status) === JSON.stringify(b.status);
}
