// A connection on which nothing happens stays: clients close one that brought no message for 30 s.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { EVERY, WebSocket, join, leaveAll, until } from "./support.mjs";

/** When the server promises to have said something, in ms. */
const PROMISED = 20_000;
/** After this long without a message every generation of the client gives the connection up, in ms. */
const GIVEN_UP = 30_000;

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

test("a silent reader is told something every 20 s", { concurrency: true }, async () => {
  const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/ws/silent`);
  const heard = [];
  socket.on("message", (data, binary) => heard.push({ at: performance.now(), binary, size: data.length }));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const opened = performance.now();
  const started = await until("the greeting", () => heard.length > 0 && [...heard]);
  await until("a keepalive", () => heard.length > started.length && heard.at(-1).at - heard.at(-2).at > 1_000, PROMISED + 2_000);
  assert.ok(heard.every(({ binary, size }) => binary && size > 0));
  assert.ok(heard.at(-1).at - opened < PROMISED, `after ${heard.at(-1).at - opened} ms`);
  socket.terminate();
});

test("no generation of the client gives up a quiet connection", async () => {
  const clients = EVERY.map((version) => join(version, server, `quiet ${version}`));
  await Promise.all(clients.map((client) => client.synced()));
  // Without presence the client itself says nothing either, so only the server keeps the connection alive.
  clients.forEach((client) => client.awareness.setLocalState(null));
  const since = performance.now();
  await until(
    () => `quiet for longer than a client's patience; closed: ${JSON.stringify(clients.map(({ closes }) => closes))}`,
    () => clients.some(({ closes }) => closes.length > 0) || performance.now() - since > GIVEN_UP + 4_000,
    GIVEN_UP + 10_000,
  );
  assert.deepEqual(clients.map(({ closes }) => closes), EVERY.map(() => []));
  assert.ok(clients.every((client) => client.online()));
});
