// Snapshots of a client with `gc: false`, shown by one that loads the document from the server afterwards.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { HOCUSPOCUS, Y, api, converged, durable, join, leaveAll } from "./support.mjs";

let server;
before(async () => {
  // A checkpoint after next to nothing: what is collected would be collected by then.
  server = await startServer({ args: ["--keep-deleted", "legal/,kept", "--checkpoint-bytes", "64"] });
});
after(() => server.dispose());
afterEach(leaveAll);

const WORDS = "the first draft, every word of it";

/** Writes, takes a snapshot, and lets somebody who collects delete everything. Resolves with the snapshot. */
async function written(room, version) {
  const ann = join(version, server, room, { gc: false, token: "t" });
  const bob = join("3.1", server, room);
  await Promise.all([ann.synced(), bob.synced()]);
  ann.text.insert(0, WORDS);
  ann.map.set("title", "first");
  ann.map.set("nested", new Y.Map([["deep", new Y.Text("below")]]));
  ann.xml.insert(0, [new Y.XmlElement("p")]);
  ann.xml.get(0).insert(0, [new Y.XmlText("a paragraph")]);
  ann.xml.get(0).setAttribute("level", "1");
  await converged(ann, bob);
  const snapshot = Y.snapshot(ann.doc);
  bob.text.delete(0, bob.text.length);
  for (let n = 0; n < 4; n++) bob.map.set("title", `title ${n}`);
  bob.map.delete("nested");
  bob.xml.get(0).removeAttribute("level");
  bob.xml.delete(0, 1);
  await converged(ann, bob);
  // Past the size of the state, so that a checkpoint takes the place of the log.
  for (let n = 0; n < 30; n++) {
    bob.text.insert(0, `${n} later words`);
    bob.text.delete(0, bob.text.length);
    await durable(server);
  }
  ann.leave();
  bob.leave();
  return snapshot;
}

async function loaded(room) {
  const doc = new Y.Doc({ gc: false });
  const { value } = await api(server, "GET", `/${room}/state`);
  Y.applyUpdate(doc, value);
  return doc;
}

const shown = (doc) => ({
  text: doc.getText("text").toString(),
  map: doc.getMap("map").toJSON(),
  xml: doc.getXmlFragment("default").toString(),
});

const THEN = { text: WORDS, map: { title: "first", nested: { deep: "below" } }, xml: '<p level="1">a paragraph</p>' };

for (const version of ["3.1", HOCUSPOCUS.at(-1)]) {
  test(`${version}: what is deleted is kept where the name says so`, async () => {
    const rooms = [`kept ${version}`, `legal/${version}`];
    const snapshots = await Promise.all(rooms.map((room) => written(room, version)));
    for (const when of ["before a restart", "after it"]) {
      for (const [at, room] of rooms.entries()) {
        const path = encodeURIComponent(room);
        const doc = await loaded(path);
        assert.equal(doc.getText("text").toString(), "", "what is deleted is deleted");
        assert.deepEqual(shown(Y.createDocFromSnapshot(doc, snapshots[at])), THEN, `${room}, ${when}`);
      }
      await server.stop();
      await server.start();
    }
  });
}

test("elsewhere it is collected", async () => {
  const snapshot = await written("other", "3.1");
  await server.stop();
  await server.start();
  const doc = await loaded("other");
  assert.ok(!shown(Y.createDocFromSnapshot(doc, snapshot)).text.includes("draft"));
});

test("a document that was made anew keeps what is deleted as well", async () => {
  await written("kept anew", "3.1");
  for (const query of ["", "?permanent=true"]) {
    const { status } = await api(server, "DELETE", `/${encodeURIComponent("kept anew")}${query}`);
    assert.ok(status < 300, `${status}`);
  }
  // Of the open document that was deleted, not of one that is loaded: it is made again at once.
  assert.equal((await api(server, "POST", "", JSON.stringify({ name: "kept anew" }))).status, 201);
  const snapshot = await written("kept anew", "3.1");
  const doc = await loaded(encodeURIComponent("kept anew"));
  assert.deepEqual(shown(Y.createDocFromSnapshot(doc, snapshot)), THEN);
});
