// A document in the trash closes its connections with 4404, keeps old replicas out, and comes back whole.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { HOCUSPOCUS, Y_WEBSOCKET, api, converged, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

test("trashed under all: 4404; restored: back with what was written", async () => {
  const clients = Y_WEBSOCKET.map((version) => join(version, server, "binned"));
  await Promise.all(clients.map((client) => client.synced()));
  clients[0].text.insert(0, "words to keep");
  await converged(...clients);

  const ended = [];
  clients.at(-1).provider.on("closed", ({ code }) => ended.push(code));
  assert.equal((await api(server, "DELETE", "/binned")).status, 200);
  await until("all are closed with 4404", () => clients.every(({ closes }) => closes.includes(4404)));
  assert.deepEqual(ended, [4404], "3.1 knows that it is for good");
  assert.equal(clients.at(-1).provider.shouldConnect, false);
  // The older generations keep trying; each attempt is refused in the same way.
  await until("the older ones were refused again", () =>
    clients.slice(0, -1).every(({ closes }) => closes.filter((code) => code === 4404).length >= 2),
  );

  clients[0].text.insert(0, "an old replica's ");
  assert.equal((await api(server, "POST", "/binned/restore")).status, 200);
  clients.at(-1).provider.connect();
  const { text } = await converged(...clients);
  assert.equal(text, "an old replica's words to keep");
});

test("deleted for ever: an old replica does not bring it back", async () => {
  const client = join("2.1", server, "shredded");
  await client.synced();
  client.text.insert(0, "gone for good");
  await until("the server has it", async () => (await api(server, "GET", "/shredded")).status === 200);
  assert.equal((await api(server, "DELETE", "/shredded")).status, 200);
  await until("closed", () => client.closes.includes(4404));
  assert.equal((await api(server, "DELETE", "/shredded?permanent=true")).status, 204);
  const refusals = client.closes.length;
  await until("it tried again and was refused again", () => client.closes.length > refusals + 1);
  assert.ok(client.closes.slice(refusals).every((code) => code === 4404), String(client.closes));
  const { status, value } = await api(server, "GET", "/shredded");
  assert.ok([404, 410].includes(status), `status ${status}`);
  assert.ok(value.error.code.length > 0);
  for (const shelf of ["live", "trash"]) {
    const list = (await api(server, "GET", `?shelf=${shelf}`)).value;
    assert.ok(!list.documents.some(({ name }) => name === "shredded"));
  }
});
