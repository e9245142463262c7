// Yjs 14, whose client ids have 53 bits, beside Yjs 13; and the echo from which its provider is to tell what is saved.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Awareness } from "@y/protocols/awareness";
import { WebsocketProvider } from "@y/websocket";
import * as Y14 from "@y/y";
import { startServer } from "./server.mjs";
import { WebSocket, Y, api, durable, join, leaveAll, until } from "./support.mjs";

/** The greatest that a client of Yjs 14 may take. */
const WIDEST = 2 ** 53 - 1;

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());

const open = new Set();
afterEach(() => {
  for (const provider of open) {
    provider.destroy();
    // Left alone, it would renew itself for ever, and the process with it.
    provider.awareness.destroy();
  }
  open.clear();
  leaveAll();
});

/** Under the id that Yjs gives it, unless told otherwise. */
function join14(room, { id, params = {}, present = true } = {}) {
  const doc = new Y14.Doc();
  if (id !== undefined) doc.clientID = id;
  assert.ok(doc.clientID > 2 ** 32, `${doc.clientID} is no id of 53 bits`);
  const awareness = new Awareness(doc);
  if (!present) awareness.setLocalState(null);
  const provider = new WebsocketProvider(`${server.url.replace(/^http/, "ws")}/ws`, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    awareness,
    params,
  });
  open.add(provider);
  const updates = [];
  const hear = provider.messageHandlers[0];
  provider.messageHandlers = [...provider.messageHandlers];
  provider.messageHandlers[0] = (encoder, decoder, ...rest) => {
    // The kind of the sync message: 2 is an update. One of two bytes is empty: the acknowledgement of having had nothing.
    const [kind, length] = decoder.arr.subarray(decoder.pos);
    if (kind === 2 && length > 2) updates.push(performance.now());
    hear(encoder, decoder, ...rest);
  };
  return { doc, provider, awareness, updates, text: doc.get("text"), synced: () => until("synced", () => provider.synced) };
}

test("client ids of 53 bits survive the wire, the store and a restart", async () => {
  const wide = join14("wide", { id: WIDEST });
  const narrow = join("3.1", server, "wide");
  await Promise.all([wide.synced(), narrow.synced()]);
  wide.text.insert(0, "wide ");
  await until("the other has it", () => narrow.text.toString() === "wide ");
  assert.ok([...Y.decodeStateVector(Y.encodeStateVector(narrow.doc)).keys()].includes(WIDEST));
  narrow.text.insert(5, "narrow");
  await until("and back", () => wide.text.toString() === "wide narrow");
  wide.awareness.setLocalStateField("user", { name: "Wide" });
  await until("seen under its own id", () => narrow.awareness.getStates().get(WIDEST)?.user?.name === "Wide");
  await durable(server);
  await server.kill();
  await server.start();
  const state = new Y.Doc();
  Y.applyUpdate(state, (await api(server, "GET", "/wide/state")).value);
  assert.equal(state.getText("text").toString(), "wide narrow");
  assert.ok([...Y.decodeStateVector(Y.encodeStateVector(state)).keys()].includes(WIDEST));
});

test("over Hocuspocus too", async () => {
  const wide = join14("wide over both");
  const provider = join("H 4.8", server, "wide over both");
  await Promise.all([wide.synced(), provider.synced()]);
  wide.text.insert(0, "wide");
  await until("the other has it", () => provider.text.toString() === "wide");
});

for (const [how, params] of [["without asking", {}], ["asking", { echo: "durable" }]]) {
  test(`a client of Yjs 14 hears each own change once it is durable, ${how}`, async () => {
    const room = `echo ${how}`;
    const wide = join14(room, { params });
    await wide.synced();
    for (let n = 0; n < 10; n++) wide.text.insert(0, `${n}`);
    await until(() => `ten echoes, not ${wide.updates.length}`, () => wide.updates.length === 10);
    await server.kill();
    await server.start();
    const reader = join("3.1", server, room);
    await reader.synced();
    assert.equal(reader.text.toString(), "9876543210");
  });
}

test("without presence it is known by what it writes", async () => {
  const wide = join14("no presence", { present: false });
  await wide.synced();
  wide.text.insert(0, "x");
  await until("its echo", () => wide.updates.length === 1);
});

test("who asks for none hears none, and a client of Yjs 13 that does not ask neither", async () => {
  const reader = join("3.1", server, "silent");
  await reader.synced();
  const silent = join14("silent", { params: { echo: "none" } });
  await silent.synced();
  silent.text.insert(0, "x");
  await until("it arrived", () => reader.text.toString() === "x");
  const heard = [];
  const hear = reader.provider.messageHandlers[0];
  reader.provider.messageHandlers = [...reader.provider.messageHandlers];
  reader.provider.messageHandlers[0] = (encoder, decoder, ...rest) => {
    if (decoder.arr[decoder.pos] === 2) heard.push(decoder.arr.length);
    hear(encoder, decoder, ...rest);
  };
  reader.text.insert(0, "y");
  await until("the other's change came", () => silent.text.toString() === "yx");
  assert.equal(silent.updates.length, 1, "the other's, and not its own");
  silent.text.insert(0, "z");
  await until("it came back", () => reader.text.toString() === "zyx");
  assert.equal(heard.length, 1, "the other's, and not its own");
});
