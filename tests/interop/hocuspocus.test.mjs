// What only the Hocuspocus provider knows: acknowledgements, many documents on one socket, denial, stateless messages.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { HOCUSPOCUS, api, converged, join, leaveAll, openSocket, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

for (const version of HOCUSPOCUS) {
  test(`${version}: nothing is unsynced once everything is durable, and kill -9 takes nothing back`, async () => {
    const room = `saved ${version}`;
    const client = join(version, server, room);
    await client.synced();
    await client.saved();
    for (let n = 0; n < 50; n++) client.text.insert(client.text.length, `${n} `);
    assert.ok(client.provider.hasUnsyncedChanges);
    await client.saved();
    const text = client.text.toString();
    await server.kill();
    client.leave();
    await server.start();
    const reader = join("3.1", server, room);
    await reader.synced();
    assert.equal(reader.text.toString(), text);
  });

  test(`${version}: edits without a line are counted until they are durable`, async () => {
    const client = join(version, server, `offline ${version}`);
    await client.synced();
    await client.saved();
    client.disconnect();
    await until("it is offline", () => !client.online());
    client.text.insert(0, "offline");
    client.connect();
    await client.synced();
    await client.saved();
    const reader = join("3.1", server, `offline ${version}`);
    await converged(client, reader);
  });

  test(`${version}: the counter of what is not saved goes up and down with every single change`, async () => {
    const client = join(version, server, `counted ${version}`);
    let statuses = 0;
    client.socket.on("message", (message) => {
      const frame = new Uint8Array((message.event ?? message).data);
      if (frame[1 + frame[0]] === 8) statuses += 1;
    });
    const saved = async (expected) => {
      await until(
        () => `the counter is 0 after ${expected} acknowledgements, not ${client.provider.unsyncedChanges} after ${statuses}`,
        () => client.provider.unsyncedChanges === 0 && statuses === expected,
      );
    };
    await client.synced();
    await saved(1); // the answer to the server's step 1
    client.text.insert(0, "one");
    assert.equal(client.provider.unsyncedChanges, 1);
    await saved(2);
    for (let n = 0; n < 10; n++) client.text.insert(0, `${n}`);
    assert.equal(client.provider.unsyncedChanges, 10);
    await saved(12);
    client.text.delete(0, 1);
    assert.equal(client.provider.unsyncedChanges, 1);
    await saved(13);
    client.provider.forceSync();
    assert.equal(client.provider.unsyncedChanges, 1);
    await saved(14);
  });

  test(`${version}: made to sync again, it is saved again`, async () => {
    const client = join(version, server, `forced ${version}`);
    await client.synced();
    await client.saved();
    client.provider.forceSync();
    assert.ok(client.provider.hasUnsyncedChanges);
    await client.saved();
  });

  test(`${version}: many documents share one socket, and one that is trashed ends alone`, async () => {
    const socket = openSocket(version, server.url);
    const rooms = [1, 2, 3].map((number) => `shared ${version} ${number}`);
    const clients = rooms.map((room) => join(version, server, room, { socket }));
    await Promise.all(clients.map((client) => client.synced()));
    clients.forEach((client) => client.text.insert(0, "words"));
    await Promise.all(clients.map((client) => client.saved()));
    assert.equal((await api(server, "DELETE", `/${encodeURIComponent(rooms[1])}`)).status, 200);
    await until("it is told", () => clients[1].denials.some((reason) => reason.startsWith("document-deleted")));
    // A provider of version 2 takes a denial for the end of its socket.
    if (version !== "H 2.15") {
      clients[0].text.insert(0, "more ");
      await clients[0].saved();
      assert.deepEqual(clients[0].closes, []);
      const again = join("3.1", server, rooms[0]);
      await converged(clients[0], again);
    }
    leaveAll();
    socket.destroy();
  });

  test(`${version}: stateless messages come from the server, and what only servers may send is refused`, async () => {
    const client = join(version, server, `stateless ${version}`);
    await client.synced();
    const heard = [];
    client.provider.on("stateless", ({ payload }) => heard.push(payload));
    client.provider.sendStateless("nobody listens, and nothing breaks");
    client.text.insert(0, "still here");
    await client.saved();
    const { status, value } = await api(server, "POST", `/${encodeURIComponent(`stateless ${version}`)}/stateless`, "ring");
    assert.deepEqual([status, value], [200, { told: 1 }]);
    await until("it is heard", () => heard.includes("ring"));
  });

  test(`${version}: a line that asks for it hears something every four seconds`, async () => {
    const client = join(version, server, `lively ${version}`, { query: "?keepalive=4", awareness: null });
    await client.synced();
    await client.saved();
    const heard = [];
    client.socket.on("message", () => heard.push(performance.now()));
    await until("three keepalives", () => heard.length >= 3);
    assert.ok(heard[1] - heard[0] < 5_000 && heard[2] - heard[1] < 5_000, String(heard));
  });
}

test("one document twice on one socket, told apart by the session", async () => {
  const socket = openSocket("H 4.8", server.url);
  const clients = ["one", "two"].map(() => join("H 4.8", server, "twice", { socket, sessionAwareness: true }));
  await Promise.all(clients.map((client) => client.synced()));
  clients[0].text.insert(0, "words");
  await converged(...clients);
  await Promise.all(clients.map((client) => client.saved()));
  assert.equal((await api(server, "GET", "/twice")).value.editors, 2);
  clients[0].leave();
  await until("one has left", async () => (await api(server, "GET", "/twice")).value.editors === 1);
  clients[1].text.insert(0, "more ");
  await clients[1].saved();
  clients[1].leave();
  socket.destroy();
});

test("a document left and opened again at once on one socket", async () => {
  const socket = openSocket("H 4.8", server.url);
  for (let n = 0; n < 5; n++) {
    const client = join("H 4.8", server, "again", { socket });
    await client.synced();
    client.text.insert(0, `${n} `);
    await client.saved();
    client.leave();
  }
  const reader = join("3.1", server, "again");
  await reader.synced();
  assert.equal(reader.text.toString(), "4 3 2 1 0 ");
  socket.destroy();
});

test("a thousand documents on one socket", async () => {
  const socket = openSocket("H 4.8", server.url);
  const clients = Array.from({ length: 1000 }, (_, n) => join("H 4.8", server, `many ${n}`, { socket }));
  await Promise.all(clients.map((client) => client.synced()));
  clients[999].text.insert(0, "the last");
  await Promise.all(clients.map((client) => client.saved()));
  assert.deepEqual(clients[0].closes, []);
  leaveAll();
  socket.destroy();
});

test("a name that is none is denied, and the socket lives", async () => {
  const socket = openSocket("H 4.8", server.url);
  const [nameless, other] = [" ", "named"].map((room) => join("H 4.8", server, room, { socket }));
  await until("it is denied", () => nameless.denials.length > 0);
  await other.synced();
  other.text.insert(0, "words");
  await other.saved();
  leaveAll();
  socket.destroy();
});

test("the server goes in order: everybody comes back when it does", async () => {
  const clients = HOCUSPOCUS.map((version) => join(version, server, "restarted"));
  await Promise.all(clients.map((client) => client.synced()));
  clients[0].text.insert(0, "words");
  await converged(...clients);
  await server.stop();
  await until("all noticed", () => clients.every((client) => !client.online()));
  clients.forEach((client) => client.text.insert(0, `${client.version}. `));
  await server.start();
  await converged(...clients);
  await Promise.all(clients.map((client) => client.saved()));
});
