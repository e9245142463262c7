// A replica that is larger than a message may be comes back to a server that lost it, as large as a document may be.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { EVERY, HOCUSPOCUS, Y, Y_WEBSOCKET, api, join, leaveAll, until } from "./support.mjs";

/** In the proportions of the defaults: pictures of 5 MB, messages of 16, documents of 64. */
const [PICTURE, MESSAGE, DOCUMENT] = [50_000, 160_000, 640_000];

let server;
before(async () => {
  server = await startServer({ args: ["--max-message-bytes", `${MESSAGE}`, "--max-document-bytes", `${DOCUMENT}`] });
});
after(() => server.dispose());
afterEach(leaveAll);

const picture = (n, size = PICTURE) => [`picture ${n}`, new Uint8Array(randomBytes(size))];
const fill = ({ map }, count) => {
  for (let n = 0; n < count; n++) map.set(...picture(n));
};

for (const version of EVERY) {
  test(`${version}: five pictures come back to a server of yesterday`, async () => {
    const room = `large ${version}`;
    const ann = join(version, server, room, { connect: false, token: "t" });
    if (HOCUSPOCUS.includes(version)) await ann.synced();
    const before = ann.closes.length;
    // Written without a line, so that all of it is in one step 2, beyond what a message may have.
    ann.disconnect();
    await until("it is off", () => !ann.online());
    fill(ann, 5);
    ann.connect();
    const bob = join("3.1", server, room);
    await until("all five are there", () => bob.map.size === 5);
    assert.deepEqual(ann.closes.slice(before).filter((code) => code === 1009 || code === 4422), []);
  });
}

test("over REST as well, and not beyond what a document may have", async () => {
  const doc = new Y.Doc();
  fill({ map: doc.getMap("map") }, 5);
  const { status } = await api(server, "POST", "/rest/updates", Y.encodeStateAsUpdate(doc));
  assert.equal(status, 200);
  fill({ map: doc.getMap("other") }, 10);
  const refused = await api(server, "POST", "/rest/updates", Y.encodeStateAsUpdate(doc));
  assert.equal(refused.status, 413);
  assert.match(refused.value.error.message, /max_document_bytes/);
});

test("what is larger than a document may be ends with words", async () => {
  const ann = join("3.1", server, "beyond", { connect: false });
  const reasons = [];
  ann.provider.on("connection-close", (event) => reasons.push([event?.code, event?.reason]));
  fill(ann, 14);
  ann.connect();
  await until("it is refused", () => reasons.some(([code, reason]) => code === 4422 && /max_document_bytes/.test(reason)));
});

test("an update is not let in that is larger than a message may be", async () => {
  const ann = join("3.1", server, "update");
  await ann.synced();
  ann.map.set(...picture(0, MESSAGE * 2));
  await until("it is refused", () => ann.closes.includes(1009));
  // As a part of what the client has it may come.
  const bob = join("2.1", server, "update");
  await until("it came with the next step 2", () => bob.map.size === 1);
});

for (const version of ["3.1", "H 4.8"]) {
  test(`${version}: a document that is full says so, and what deletes makes room`, async () => {
    const room = `full ${version}`;
    const ann = join("2.1", server, room);
    await ann.synced();
    for (let n = 0; n < 12; n++) ann.map.set(...picture(n));
    const bob = join(version, server, room, { token: "t" });
    await bob.synced();
    await until("bob has it", () => bob.map.size === 12);
    const reasons = [];
    bob.provider.on("connection-close", (event) => reasons.push(event?.reason));
    bob.map.set(...picture("too many"));
    await until("he is told", () => [...reasons, ...(bob.denials ?? [])].some((reason) => /the document is full/.test(reason)));
    for (let n = 0; n < 6; n++) ann.map.delete(`picture ${n}`);
    const eve = join("3.1", server, room);
    await until("it is smaller", () => eve.provider.synced && eve.map.size === 6);
    const { status } = await api(server, "POST", `/${encodeURIComponent(room)}/updates`, Y.encodeStateAsUpdate(small()));
    assert.equal(status, 200);
  });
}

function small() {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "there is room again");
  return doc;
}
