// Clients of three generations behind one small interface, and waiting for states.
import { WebsocketProvider as Provider1 } from "y-websocket-1";
import { WebsocketProvider as Provider2 } from "y-websocket-2";
import { WebsocketProvider as Provider3 } from "y-websocket-3";
import WebSocket from "ws";
import * as Y from "yjs";

export const VERSIONS = { "1.5": Provider1, "2.1": Provider2, "3.1": Provider3 };
export const EVERY = Object.keys(VERSIONS);

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
 * Opens `room` with the given generation of the client, its document and presence ready to use. The room is put into
 * the address as it stands, as any app would.
 */
export function join(version, server, room, { name = version, connect = true } = {}) {
  const doc = new Y.Doc();
  const Provider = VERSIONS[version];
  const provider = new Provider(`${server.url.replace(/^http/, "ws")}/ws`, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    maxBackoffTime: 500,
    connect,
  });
  // A refused connection is a state these tests look at, not an accident; without a listener Node would end over it.
  provider.on("connection-error", () => {});
  const client = {
    version,
    doc,
    provider,
    awareness: provider.awareness,
    text: doc.getText("text"),
    map: doc.getMap("map"),
    array: doc.getArray("array"),
    xml: doc.getXmlFragment("default"),
    closes: [],
    synced: () => until(`${version} is synced`, () => provider.synced),
    announce: () => provider.awareness.setLocalStateField("user", { name, color: "#0e7490" }),
    /** Whose presence this client sees, itself included. */
    sees: () => [...provider.awareness.getStates().values()].flatMap(({ user }) => (user ? [user.name] : [])).sort(),
    leave: () => {
      open.delete(client);
      provider.destroy();
      provider.awareness.destroy();
    },
    /** Breaks the socket as a lost network does, without a closing handshake, and stays away. */
    vanish: () => {
      provider.shouldConnect = false;
      provider.ws.terminate();
    },
  };
  provider.on("connection-close", (event) => client.closes.push(event?.code ?? null));
  open.add(client);
  return client;
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
