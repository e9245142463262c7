// Clients of both families, three generations of each, behind one small interface; and waiting for states.
import { HocuspocusProvider as Hocuspocus2, HocuspocusProviderWebsocket as Socket2 } from "@hocuspocus/provider-2";
import { HocuspocusProvider as Hocuspocus3, HocuspocusProviderWebsocket as Socket3 } from "@hocuspocus/provider-3";
import { HocuspocusProvider as Hocuspocus4, HocuspocusProviderWebsocket as Socket4 } from "@hocuspocus/provider-4";
import { WebsocketProvider as Provider1 } from "y-websocket-1";
import { WebsocketProvider as Provider2 } from "y-websocket-2";
import { WebsocketProvider as Provider3 } from "y-websocket-3";
import { WebsocketProvider as Provider30 } from "y-websocket-30";
import WebSocket from "ws";
import * as Y from "yjs";

const Y_WEBSOCKETS = { "1.5": Provider1, "2.1": Provider2, "3.0": Provider30, "3.1": Provider3 };
const HOCUSPOCUSES = {
  "H 2.15": [Hocuspocus2, Socket2],
  "H 3.4": [Hocuspocus3, Socket3],
  "H 4.8": [Hocuspocus4, Socket4],
};
/** The generations of y-websocket, of the Hocuspocus provider, and all of them. */
export const Y_WEBSOCKET = Object.keys(Y_WEBSOCKETS);
export const HOCUSPOCUS = Object.keys(HOCUSPOCUSES);
export const EVERY = [...Y_WEBSOCKET, ...HOCUSPOCUS];

/** How long a state may take to come about, in ms: far above what it needs, so that a busy machine is no failure. */
const PATIENCE = 15_000;

/** Resolves with the first truthy answer of `look`, or fails saying what did not happen. */
export async function until(what, look, patience = PATIENCE) {
  const end = performance.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${patience} ms in vain: ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const open = new Set();

/**
 * Opens `room` with the given generation of a client, its document and presence ready to use. The room is put into
 * the address as it stands, as any app would. `gc: false` keeps what is deleted, for snapshots; `doc` may be one that is
 * there already.
 */
export function join(version, server, room, { gc = true, doc = new Y.Doc({ gc }), ...options } = {}) {
  const url = server.url.replace(/^http/, "ws");
  const family = version in HOCUSPOCUSES ? joinHocuspocus : joinYWebsocket;
  const { name = version } = options;
  const closes = [];
  const { provider, leave, ...rest } = family(version, url, room, doc, closes, options);
  const client = {
    version,
    doc,
    provider,
    awareness: provider.awareness,
    text: doc.getText("text"),
    map: doc.getMap("map"),
    array: doc.getArray("array"),
    xml: doc.getXmlFragment("default"),
    closes,
    synced: () => until(`${version} is synced`, () => provider.synced),
    announce: () => provider.awareness.setLocalStateField("user", { name, color: "#0e7490" }),
    /** Whose presence this client sees, itself included. */
    sees: () => [...provider.awareness.getStates().values()].flatMap(({ user }) => (user ? [user.name] : [])).sort(),
    leave: () => {
      open.delete(client);
      leave();
    },
    ...rest,
  };
  open.add(client);
  return client;
}

function joinYWebsocket(version, url, room, doc, closes, { connect = true, params = {} }) {
  const provider = new Y_WEBSOCKETS[version](`${url}/ws`, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    maxBackoffTime: 500,
    connect,
    params,
  });
  // A refused connection is a state these tests look at, not an accident; without a listener Node would end over it.
  provider.on("connection-error", () => {});
  provider.on("connection-close", (event) => closes.push(event?.code ?? null));
  return {
    provider,
    online: () => provider.wsconnected,
    connect: () => provider.connect(),
    disconnect: () => provider.disconnect(),
    leave: () => {
      provider.destroy();
      provider.awareness.destroy();
    },
    /** Breaks the socket as a lost network does, without a closing handshake, and stays away. */
    vanish: () => {
      provider.shouldConnect = false;
      provider.ws.terminate();
    },
  };
}

function joinHocuspocus(version, url, room, doc, closes, { token, socket, query = "", name: _person, ...options }) {
  const [Provider] = HOCUSPOCUSES[version];
  const own = socket === undefined;
  socket ??= openSocket(version, url, query);
  const provider = new Provider({ ...options, websocketProvider: socket, name: room, document: doc, token: token ?? null });
  // Version 2 attaches by itself, and has no such method.
  provider.attach?.();
  const denials = [];
  provider.on("authenticationFailed", ({ reason }) => denials.push(reason));
  socket.on("close", ({ event }) => closes.push(event?.code ?? null));
  return {
    provider,
    socket,
    denials,
    online: () => socket.status === "connected",
    connect: () => {
      // Where the end of the old socket is still on its way, this is what makes the provider connect after it.
      socket.shouldConnect = true;
      socket.connect();
    },
    disconnect: () => socket.disconnect(),
    // Not the number: after a reconnect, version 2 counts the acknowledgements of what it queued below zero.
    saved: () => until(() => `${version} is saved, ${provider.unsyncedChanges} changes are not`, () => !provider.hasUnsyncedChanges),
    leave: () => {
      provider.destroy();
      if (own) socket.destroy();
    },
    vanish: () => {
      socket.shouldConnect = false;
      socket.webSocket.terminate();
    },
  };
}

/** A socket of the Hocuspocus provider, for one document or several. */
export function openSocket(version, url, query = "", WebSocketPolyfill = WebSocket) {
  const [, Socket] = HOCUSPOCUSES[version];
  return new Socket({
    url: `${url.replace(/^http/, "ws")}/hocuspocus${query}`,
    WebSocketPolyfill,
    delay: 100,
    minDelay: 100,
    maxDelay: 500,
    quiet: true,
  });
}

/** Leaves with every client still open; for `afterEach`. */
export function leaveAll() {
  for (const client of [...open]) client.leave();
}

/** Everything a document holds, in a form to compare. */
export function contents({ text, map, array, xml }) {
  return { text: text.toString(), map: map.toJSON(), array: array.toJSON(), xml: xml.toString() };
}

/** Waits until all hold the same, down to the last deletion, and returns it. */
export async function converged(...clients) {
  const states = () => clients.map(({ doc }) => Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString("base64"));
  await until(
    () => `the clients hold the same: ${JSON.stringify(clients.map(contents))}`,
    () => new Set(states()).size === 1,
  );
  return contents(clients[0]);
}

export async function api(server, method, path, body) {
  const response = await fetch(`${server.url}/api/v1/documents${path}`, { method, ...(body ? { body } : {}) });
  const type = response.headers.get("content-type") ?? "";
  const value = type.includes("json") ? await response.json() : new Uint8Array(await response.arrayBuffer());
  return { status: response.status, value };
}

/** Waits until nothing the server accepted is still on its way to the store. */
export async function durable(server) {
  await until("everything is durable", async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return /^weft_journal_backlog_bytes 0$/m.test(metrics);
  });
}

export { WebSocket, Y };
