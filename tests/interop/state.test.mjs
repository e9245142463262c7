// A state fetched over HTTP by a Yjs client before it connects: all of it, only what it lacks, compressed as `fetch` likes, in
// parts, and known already.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import * as Y from "yjs";
import * as Y14 from "@y/y";
import { startServer } from "./server.mjs";
import { join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

const stateOf = (room, vector) => {
  const url = new URL(`/api/v1/documents/${encodeURIComponent(room)}/state`, server.url);
  if (vector !== undefined) url.searchParams.set("vector", Buffer.from(vector).toString("base64url"));
  return url;
};

async function bytesOf(url, headers = {}) {
  const answer = await fetch(url, { headers });
  assert.ok(answer.ok, `${answer.status} ${url}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Somebody writes, rewrites and deletes, in all that a document can hold, until everything is durable. */
async function writes(ann, round) {
  ann.doc.transact(() => {
    for (let n = 0; n < 200; n += 1) ann.text.insert(ann.text.length, `round ${round} word ${n} `);
    ann.text.delete(round * 3, 7);
    ann.map.set("round", { round, of: ["a", null, 1.5] });
    ann.array.push([round, new Uint8Array([1, 2, 3])]);
    const paragraph = new Y.XmlElement("p");
    paragraph.insert(0, [new Y.XmlText(`paragraph ${round}`)]);
    ann.xml.insert(0, [paragraph]);
  });
  await until("the server has it", async () => {
    const copy = new Y.Doc();
    const answer = await fetch(stateOf(ann.room));
    if (!answer.ok) return false;
    Y.applyUpdate(copy, new Uint8Array(await answer.arrayBuffer()));
    return copy.getText("text").toString() === ann.text.toString();
  });
}

const contentOf = (doc) => ({
  text: doc.getText("text").toString(),
  map: doc.getMap("map").toJSON(),
  array: doc.getArray("array").toJSON(),
  xml: doc.getXmlFragment("default").toString(),
});

test("who has an older state fetches what it lacks, and is equal", async () => {
  const room = "states over http";
  const ann = Object.assign(join("3.1", server, room), { room });
  await ann.synced();
  await writes(ann, 1);
  const bob = new Y.Doc();
  Y.applyUpdate(bob, await bytesOf(stateOf(room)));
  assert.deepEqual(contentOf(bob), contentOf(ann.doc));

  const old = Y.encodeStateVector(bob);
  await writes(ann, 2);
  const whole = await bytesOf(stateOf(room));
  const lacking = await bytesOf(stateOf(room, old));
  assert.ok(lacking.length < whole.length, `${lacking.length} of ${whole.length} bytes`);
  assert.equal(Y.parseUpdateMeta(lacking).from.get(ann.doc.clientID), Y.decodeStateVector(old).get(ann.doc.clientID));
  Y.applyUpdate(bob, lacking);
  assert.deepEqual(contentOf(bob), contentOf(ann.doc));
  assert.deepEqual(Y.encodeStateVector(bob), Y.encodeStateVector(ann.doc));
  assert.ok(Y.equalSnapshots(Y.snapshot(bob), Y.snapshot(ann.doc)), "deletions too");

  // Then it connects with a full vector, and is not told again what it has.
  const connected = join("3.1", server, room, { doc: bob });
  const told = [];
  bob.on("update", (update, origin) => origin === connected.provider && told.push(update.length));
  await connected.synced();
  connected.text.insert(0, "bob ");
  await until("ann hears bob", () => ann.text.toString().startsWith("bob "));
  assert.deepEqual(told, []);
});

test("what is fetched is what the server has, in whatever way it comes", async () => {
  const room = "states/in ways";
  const ann = Object.assign(join("H 4.8", server, room), { room });
  await ann.synced();
  await writes(ann, 1);
  const plain = await fetch(stateOf(room), { headers: { "accept-encoding": "identity" } });
  const whole = new Uint8Array(await plain.arrayBuffer());
  for (const coding of ["gzip", "br", "gzip, deflate, br"]) {
    const answer = await fetch(stateOf(room), { headers: { "accept-encoding": coding } });
    assert.equal(answer.headers.get("content-encoding"), coding === "gzip" ? "gzip" : "br");
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), whole, coding);
  }
  const tag = plain.headers.get("etag");
  const half = Math.ceil(whole.length / 2);
  const [first, second] = await Promise.all(
    [`bytes=0-${half - 1}`, `bytes=${half}-`].map((range) => bytesOf(stateOf(room), { range, "if-range": tag, "accept-encoding": "identity" })),
  );
  const copy = new Y.Doc();
  Y.applyUpdate(copy, new Uint8Array([...first, ...second]));
  assert.deepEqual(contentOf(copy), contentOf(ann.doc));
  const known = await fetch(stateOf(room), { headers: { "if-none-match": tag, "accept-encoding": "identity" } });
  assert.equal(known.status, 304);
});

test("a client of Yjs 14 fetches by its vector too", async () => {
  const room = "states of fourteen";
  const ann = Object.assign(join("3.1", server, room), { room });
  await ann.synced();
  ann.text.insert(0, "before");
  await until("it is there", async () => (await fetch(stateOf(room))).ok && (await bytesOf(stateOf(room))).length > 8);
  const doc = new Y14.Doc();
  const whole = await bytesOf(stateOf(room));
  Y14.applyUpdate(doc, whole);
  ann.text.insert(6, " and after");
  await until("there is more", async () => (await bytesOf(stateOf(room))).length > whole.length);
  const more = await bytesOf(stateOf(room));
  const lacking = await bytesOf(stateOf(room, Y14.encodeStateVector(doc)));
  assert.ok(lacking.length < more.length, `${lacking.length} of ${more.length} bytes`);
  Y14.applyUpdate(doc, lacking);
  assert.equal(doc.get("text").toString(), "before and after");
});
