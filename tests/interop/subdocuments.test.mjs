// Subdocuments and hooks in XML: Weft carries the references, and a subdocument is a document of its own under its guid.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { Y, api, durable, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

const PAIRS = [["1.5", "3.1"], ["3.1", "1.5"], ["2.1", "H 4.8"], ["H 2.15", "3.0"]];

for (const [one, other] of PAIRS) {
  test(`${one} puts a subdocument into a document, ${other} finds it and opens it under its guid`, async () => {
    const room = `house ${one} ${other}`;
    const [ann, bob] = [join(one, server, room), join(other, server, room)];
    await Promise.all([ann.synced(), bob.synced()]);
    const found = [];
    bob.doc.on("subdocs", ({ added }) => found.push(...added));
    const guid = `room ${one} ${other}`;
    const room1 = new Y.Doc({ guid, meta: { floor: 1 } });
    ann.map.set("kitchen", room1);
    const [kitchen] = await until("the subdocument is there", () => found.length > 0 && found);
    assert.equal(kitchen, bob.map.get("kitchen"));
    assert.deepEqual([kitchen.guid, kitchen.meta, kitchen.shouldLoad], [guid, { floor: 1 }, false]);

    // What is in it is synced when somebody asks for it, as a document by itself.
    kitchen.load();
    const inside = join(one, server, guid, { doc: room1 });
    room1.getText("text").insert(0, "a table");
    const seen = join(other, server, kitchen.guid, { doc: kitchen });
    await until("the table", () => seen.text.toString() === "a table");
    seen.text.insert(0, "round: ");
    await until("the answer", () => inside.text.toString() === "round: a table");
    assert.equal(bob.text.toString(), "");
  });
}

test("subdocuments and hooks are deleted, brought back, kept over a restart, and seen by who comes later", async () => {
  const room = "deleted";
  const [ann, bob] = [join("3.1", server, room), join("1.5", server, room)];
  await Promise.all([ann.synced(), bob.synced()]);
  const undo = new Y.UndoManager([ann.map, ann.xml], { captureTimeout: 0 });
  const gone = [];
  bob.doc.on("subdocs", ({ removed }) => gone.push(...[...removed].map(({ guid }) => guid)));
  const hook = new Y.XmlHook("calendar");
  ann.doc.transact(() => {
    ann.map.set("sub", new Y.Doc({ guid: "first", autoLoad: true }));
    ann.xml.insert(0, [hook, new Y.XmlElement("p")]);
    hook.set("week", 1);
  });
  const shows = ({ map, xml }) => [map.get("sub")?.guid, xml.toArray().map((node) => node.hookName ?? node.nodeName), xml.get(0)?.get?.("week")];
  const whole = ["first", ["calendar", "p"], 1];
  await until("all is there", () => JSON.stringify(shows(bob)) === JSON.stringify(whole));
  assert.equal(bob.map.get("sub").shouldLoad, true);

  ann.doc.transact(() => {
    ann.map.delete("sub");
    ann.xml.delete(0, 1);
  });
  await until("it is gone", () => !bob.map.has("sub") && bob.xml.length === 1);
  // Yjs may say it twice: of the subdocument, and of the one that takes its place when it is unloaded.
  assert.deepEqual([...new Set(gone)], ["first"]);
  undo.undo();
  await until("it is back", () => JSON.stringify(shows(bob)) === JSON.stringify(whole));

  // Both the deleted one and the one brought back, over a restart; twice, because a log becomes a checkpoint.
  await durable(server);
  for (const end of [server.kill, server.stop]) {
    await end();
    await server.start();
    const late = join("3.0", server, room);
    await late.synced();
    assert.deepEqual(shows(late), whole);
    late.leave();
  }
  const { value } = await api(server, "GET", `/${room}/json`);
  assert.deepEqual(value, { map: { sub: { guid: "first", autoLoad: true } }, default: '<calendar week="1"></calendar><p></p>' });
});

test("a snapshot of a document that came from the server holds its subdocuments", async () => {
  const ann = join("3.1", server, "history");
  await ann.synced();
  ann.array.insert(0, ["before", new Y.Doc({ guid: "kept" }), "behind"]);
  await durable(server);
  const keeper = join("2.1", server, "history", { doc: new Y.Doc({ gc: false }) });
  await keeper.synced();
  const snapshot = Y.snapshot(keeper.doc);
  ann.array.delete(0, 2);
  await until("it is deleted", () => keeper.array.length === 1);
  const then = Y.createDocFromSnapshot(keeper.doc, snapshot).getArray("array").toArray();
  assert.deepEqual(then.map((value) => value.guid ?? value), ["before", "kept", "behind"]);
});

test("bytes that look like what stands for a subdocument inside of the server come back as they are", async () => {
  const looks = new TextEncoder().encode("\0weft's stand-in\0d\u0001av\0");
  const [ann, bob] = [join("3.1", server, "looks"), join("H 3.4", server, "looks")];
  await Promise.all([ann.synced(), bob.synced()]);
  ann.map.set("bytes", looks);
  ann.xml.insert(0, [new Y.XmlElement("\0weft's stand-in\0hhook")]);
  await until("they are there", () => bob.map.has("bytes") && bob.xml.length === 1);
  await durable(server);
  await server.kill();
  await server.start();
  const late = join("3.1", server, "looks");
  await late.synced();
  // A Hocuspocus client that is left while it tries to come back goes on trying, and keeps the process alive.
  await until("all are back", () => ann.online() && bob.online());
  for (const client of [bob, late]) {
    assert.deepEqual(client.map.get("bytes"), looks);
    assert.equal(client.xml.get(0).nodeName, "\0weft's stand-in\0hhook");
  }
});
