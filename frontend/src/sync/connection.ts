// The one door to the provider. The rest of the app knows the `Connection` below; which npm package is behind it is
// decided here, and replacing it touches this file only.
import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from "@hocuspocus/provider";
import type { Awareness } from "y-protocols/awareness";
import type { Doc } from "yjs";
import { FULL_WAIT, LONGEST_WAIT, SHORTEST_WAIT } from "./backoff";
import { BUSY, FINAL, GONE, REFUSED, TOO_BIG } from "./close";

/** What a connection reports; a subset of the events of the status machine. */
export type ConnectionEvent =
  | { readonly type: "connecting" }
  | { readonly type: "opened" }
  | { readonly type: "synced" }
  /** A message of so many bytes came and is in the document, and it is not in step yet. */
  | { readonly type: "came"; readonly bytes: number }
  /** How many own changes the server has not called durable. Nothing was said about them yet, or they were refused. */
  | { readonly type: "unsaved"; readonly count: number }
  | { readonly type: "allowed"; readonly access: "write" | "read" }
  | { readonly type: "closed"; readonly code: number }
  /** The server will not have us, for now or for good, and says why. */
  | { readonly type: "refused"; readonly why: Refusal };

export type Refusal =
  /** In the trash, or deleted. */
  | { readonly kind: "gone" }
  /** Not for us. `reason` is for the person, in the server's words. */
  | { readonly kind: "denied"; readonly reason: string }
  /** No room: in the document, or on the server. It is tried again. */
  | { readonly kind: "full" }
  /** A change of ours was refused and would be again. `reason` says why, in the server's words. */
  | { readonly kind: "change"; readonly reason: string }
  /** A change was larger than the server takes. */
  | { readonly kind: "too-large" };

export interface Connection {
  /** The origin of the changes it brings: what is applied under it is not sent. */
  readonly origin: unknown;
  /** Starts, or starts again after a refusal. Does nothing while a socket is open or opening. */
  open(): void;
  /** Tries at once if the socket is down, whatever the backoff says; looks at one that has been quiet for too long. */
  hurry(): void;
  /** Drops the socket and opens a new one: the only way to learn whether the old one still reaches the server. */
  bounce(): void;
  dispose(): void;
}

export interface ConnectionPorts {
  /** The Hocuspocus endpoint, e.g. `wss://host/hocuspocus`. */
  readonly base: string;
  readonly document: string;
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly report: (event: ConnectionEvent) => void;
  /** For tests and for Node; browsers bring their own. */
  readonly WebSocket?: typeof WebSocket;
  /** In ms since 1970. */
  readonly now?: () => number;
}

/** The server says something at least this often, because the address asks for it. In seconds. */
const KEEPALIVE = 4;

/**
 * A line on which nothing came for this long is dead: two keepalives were missed. Looked at ten times as often. An attempt
 * is given as long for its first word: behind a gateway that swallows everything it would wait for minutes. In ms.
 */
const DEAD_AFTER = 9_000;

/** A line that was quiet for longer than a keepalive takes deserves a look when somebody comes back to the page. In ms. */
const QUIET = KEEPALIVE * 1_000 + 1_000;

export function connectByHocuspocus(ports: ConnectionPorts): Connection {
  const { awareness, report } = ports;
  const now = ports.now ?? Date.now;
  const socket = new Line({
    url: `${ports.base}?keepalive=${KEEPALIVE}`,
    autoConnect: false,
    messageReconnectTimeout: DEAD_AFTER,
    delay: SHORTEST_WAIT,
    minDelay: SHORTEST_WAIT,
    maxDelay: LONGEST_WAIT,
    factor: 2,
    jitter: true,
    ...(ports.WebSocket ? { WebSocketPolyfill: ports.WebSocket } : {}),
  });
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name: ports.document,
    document: ports.doc,
    awareness,
    token: null,
  });
  let wanted = false;
  let attempted = 0;
  let shown = awareness.getLocalState();
  let again: ReturnType<typeof setTimeout> | undefined;
  let silent: ReturnType<typeof setTimeout> | undefined;

  const stop = (): void => {
    wanted = false;
    clearTimeout(again);
    // A proper goodbye takes the browser seconds, and whoever asks again within them would wait for nothing.
    socket.shouldConnect = false;
    if (socket.status === WebSocketStatus.Connected) socket.abandon();
    socket.disconnect();
  };
  const refuse = (why: Refusal): void => {
    stop();
    report({ type: "refused", why });
    // Whatever was too large is still in the document, and would be again.
    if (why.kind === "full") again = setTimeout(connect, FULL_WAIT);
  };
  const connect = (): void => {
    wanted = true;
    clearTimeout(again);
    // Not earlier: attached, the provider sends whatever comes into the document, and first that is the whole copy on this
    // device. What the server is missing of it, it asks for.
    provider.attach();
    // An attempt under way is left its time; a second one would end it.
    if (socket.status === WebSocketStatus.Connecting && now() - attempted < SHORTEST_WAIT * 4) return;
    void socket.connect();
  };
  const bounce = (): void => {
    if (!wanted) return;
    if (socket.status === WebSocketStatus.Connected) socket.abandon();
    connect();
  };

  socket.on("status", ({ status }: { readonly status: string }) => {
    if (status === "connecting") {
      attempted = now();
      clearTimeout(silent);
      silent = setTimeout(() => socket.abandon(), DEAD_AFTER);
      report({ type: "connecting" });
    }
    if (status === "disconnected") forgetClocks(awareness);
  });
  socket.on("open", () => {
    report({ type: "opened" });
    queueMicrotask(() => renewPresence(awareness, shown));
  });
  socket.on("message", ({ data }: { readonly data: unknown }) => {
    clearTimeout(silent);
    if (!provider.synced && data instanceof ArrayBuffer) report({ type: "came", bytes: data.byteLength });
  });
  socket.on("close", ({ event }: { readonly event?: { readonly code?: number; readonly reason?: string } }) => {
    const code = event?.code ?? 1006;
    clearTimeout(silent);
    report({ type: "closed", code });
    if (code === GONE) refuse({ kind: "gone" });
    else if (FINAL.has(code)) refuse({ kind: "denied", reason: event?.reason ?? "" });
    else if (code === REFUSED) refuse({ kind: "change", reason: event?.reason ?? "" });
    else if (code === TOO_BIG) refuse({ kind: "too-large" });
    else if (BUSY.has(code)) refuse({ kind: "full" });
  });
  provider.on("synced", () => report({ type: "synced" }));
  provider.on("unsyncedChanges", ({ number }: { readonly number: number }) => report({ type: "unsaved", count: number }));
  provider.on("authenticated", ({ scope }: { readonly scope: string }) => {
    report({ type: "allowed", access: scope === "readonly" ? "read" : "write" });
  });
  provider.on("authenticationFailed", ({ reason }: { readonly reason: string }) => refuse(refusal(reason)));
  // The provider takes our presence away when the page is put aside, and does not bring it back when it is taken out again.
  const onAwareness = (): void => {
    shown = awareness.getLocalState() ?? shown;
  };
  awareness.on("update", onAwareness);

  return {
    origin: provider,
    open: connect,
    hurry: () => {
      if (!wanted) return;
      if (awareness.getLocalState() === null) renewPresence(awareness, shown);
      if (socket.status !== WebSocketStatus.Connected) connect();
      else if (socket.lastMessageReceived > 0 && now() - socket.lastMessageReceived > QUIET) bounce();
    },
    bounce,
    dispose: () => {
      awareness.off("update", onAwareness);
      wanted = false;
      clearTimeout(again);
      clearTimeout(silent);
      // Says good-bye while the socket is still there, and takes our presence along.
      provider.destroy();
      socket.destroy();
    },
  };
}

/**
 * The provider's socket, which can also be given up without waiting for the other side's goodbye. The provider asks a
 * dead line for one three times over, and then tells nobody of the end: documents on it would never be called synced again.
 */
class Line extends HocuspocusProviderWebsocket {
  override checkConnection(): void {
    const quiet = this.lastMessageReceived > 0 ? Date.now() - this.lastMessageReceived : 0;
    if (this.status === WebSocketStatus.Connected && quiet > this.configuration.messageReconnectTimeout) this.abandon();
  }

  abandon(): void {
    this.emit("close", { event: { code: 4408, reason: "given up" } });
  }
}

/** What the server's words mean; mirrors `denial` and `denial_for` in `src/connection/error.rs`. */
export function refusal(reason: string): Refusal {
  const [word] = reason.split(":", 1);
  switch (word) {
    case "document-deleted":
      return { kind: "gone" };
    case "document-full":
    case "try-again":
      return { kind: "full" };
    case "change-refused":
      return { kind: "change", reason: reason.slice(reason.indexOf(":") + 1).trim() };
    default:
      return { kind: "denied", reason };
  }
}

/**
 * Says our own presence again with a newer clock. After a reconnect the server and the others may hold a removal of us
 * at the very clock we would repeat, and would ignore it until the next renewal 15 s later.
 */
function renewPresence(awareness: Awareness, shown: Record<string, unknown> | null): void {
  const state = awareness.getLocalState() ?? shown;
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
