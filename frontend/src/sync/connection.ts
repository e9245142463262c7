// The one door to the provider. The rest of the app knows the `Connection` below; which npm package is behind it is
// decided here, and replacing it touches this file only.
import type { Awareness } from "y-protocols/awareness";
import { WebsocketProvider } from "y-websocket";
import type { Doc } from "yjs";
import { roomPath } from "./address";

/** What a connection reports; a subset of the events of the status machine. */
export type ConnectionEvent =
  | { readonly type: "connecting" }
  | { readonly type: "opened" }
  | { readonly type: "synced" }
  | { readonly type: "closed" }
  | { readonly type: "ended"; readonly code: number };

export interface Connection {
  /** Starts, or starts again after an end. Does nothing while a socket is open or opening. */
  open(): void;
  /** Tries at once if the socket is down, whatever the backoff says. */
  hurry(): void;
  /** Drops the socket and opens a new one: the only way to learn whether the old one still reaches the server. */
  bounce(): void;
  dispose(): void;
}

export interface ConnectionPorts {
  /** The y-websocket endpoint without the room, e.g. `wss://host/ws`. */
  readonly base: string;
  readonly document: string;
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly report: (event: ConnectionEvent) => void;
  /** For tests and for Node; browsers bring their own. */
  readonly WebSocket?: typeof WebSocket;
}

/** The longest wait between two attempts, in ms. Spread per client so that a restarted server is not met by all at once. */
const LONGEST_WAIT = 8_000 + Math.random() * 4_000;

export function connectByWebsocket(ports: ConnectionPorts): Connection {
  const { awareness, report } = ports;
  const provider = new WebsocketProvider(ports.base, roomPath(ports.document), ports.doc, {
    connect: false,
    awareness,
    maxBackoffTime: LONGEST_WAIT,
    // Two tabs of one browser meet on the server like everybody else: one path for truth, and offline copies are
    // joined by the local store.
    disableBc: true,
    ...(ports.WebSocket ? { WebSocketPolyfill: ports.WebSocket } : {}),
  });

  provider.on("status", ({ status }) => {
    if (status === "connecting") report({ type: "connecting" });
    if (status === "connected") {
      report({ type: "opened" });
      queueMicrotask(() => renewPresence(awareness));
    }
    if (status === "disconnected") forgetClocks(awareness);
  });
  provider.on("sync", (synced: boolean) => {
    if (synced) report({ type: "synced" });
  });
  provider.on("connection-close", () => report({ type: "closed" }));
  provider.on("closed", ({ code }) => report({ type: "ended", code }));

  const hurry = (): void => {
    provider.wsUnsuccessfulReconnects = 0;
    provider.connect();
  };
  return {
    open: hurry,
    hurry: () => {
      if (provider.shouldConnect) hurry();
    },
    bounce: () => {
      if (!provider.shouldConnect) return;
      provider.disconnect();
      hurry();
    },
    dispose: () => {
      // The provider would leave our own state for others to expire; say good-bye while the socket is still there.
      awareness.setLocalState(null);
      provider.destroy();
    },
  };
}

/**
 * Says our own presence again with a newer clock. After a reconnect the server and the others may hold a removal of us
 * at the very clock we would repeat, and would ignore it until the next renewal 15 s later.
 */
function renewPresence(awareness: Awareness): void {
  const state = awareness.getLocalState();
  if (state !== null) awareness.setLocalState(state);
}

/**
 * Forgets the clocks of people removed because our own socket was lost. They did not leave, so their clocks did not
 * move, and the same clock would be refused when they are announced to us again.
 */
function forgetClocks(awareness: Awareness): void {
  for (const client of [...awareness.meta.keys()]) {
    if (client !== awareness.clientID && !awareness.states.has(client)) awareness.meta.delete(client);
  }
}
