// A change that the server refuses: whoever made it is told why and stops, and nobody else notices. With the real clients,
// old ones that never stop by themselves included.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { HOCUSPOCUS, Y_WEBSOCKET, WebSocket, Y, api, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer({ args: ["--max-presence-bytes", "1000"] })));
after(() => server.dispose());
afterEach(leaveAll);

/** Something that Yjs takes and the server does not: values nested deeper than any parser here should follow. */
function nested(depth) {
  let value = [];
  for (let n = 0; n < depth; n++) value = [value];
  return value;
}
const refuse = ({ map }) => map.set("deep", nested(5_000));

for (const version of Y_WEBSOCKET) {
  test(`y-websocket ${version}: refused once, not for ever`, async () => {
    const room = `refused ${version}`;
    const [ann, bob] = [join("3.1", server, room), join("2.1", server, room)];
    await Promise.all([ann.synced(), bob.synced()]);
    const mallory = join(version, server, room);
    await mallory.synced();
    let opened = 0;
    const reasons = [];
    mallory.provider.on("status", ({ status }) => (opened += status === "connected"));
    mallory.provider.on("connection-close", (event) => reasons.push([event?.code, event?.reason]));
    refuse(mallory);
    await until("it is refused", () => reasons.some(([code]) => code === 4422));
    const [, reason] = reasons.find(([code]) => code === 4422);
    assert.match(reason, /^a change was refused: it is nested too deep/);
    // Long enough for hundreds of attempts, which is what those that do not stop would make.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.ok(opened <= (version === "3.1" ? 0 : 4), `${opened} times let in again`);
    // Nobody else notices, in this document or, from the same address, in another.
    assert.deepEqual([ann.closes, bob.closes], [[], []]);
    ann.text.insert(0, "undisturbed");
    await until("bob has it", () => bob.text.toString() === "undisturbed");
    const other = join(version, server, `another than ${room}`);
    await other.synced();
    if (version !== "3.1") {
      const { status, wait, code } = await refusedAtTheDoor(room);
      assert.deepEqual([status, code, Number(wait) >= 1], [429, "refused_again", true]);
    }
    assert.match(server.log, new RegExp(`WARN.*refused.*document=${room}`));
    assert.ok(server.log.split("\n").filter((line) => line.includes("WARN") && line.includes(`document=${room} `)).length <= 2);
  });
}

/** What a client hears that asks to be let in there now. */
function refusedAtTheDoor(room) {
  return until("it has to wait", () =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/ws/${encodeURIComponent(room)}`);
      socket.on("open", () => (socket.close(), resolve(null)));
      socket.on("unexpected-response", (_, response) => {
        let body = "";
        response.on("data", (text) => (body += text));
        response.on("end", () => resolve({ status: response.statusCode, wait: response.headers["retry-after"], ...JSON.parse(body).error }));
      });
      socket.on("error", reject);
    }),
  );
}

for (const version of HOCUSPOCUS) {
  test(`${version}: the person is told why, and the socket stays for other documents`, async () => {
    const room = `refused ${version}`;
    const bob = join("3.1", server, room);
    const mallory = join(version, server, room, { token: "t" });
    const other = join(version, server, `beside ${room}`, { token: "t", socket: mallory.socket });
    await Promise.all([bob.synced(), mallory.synced(), other.synced()]);
    refuse(mallory);
    const reason = await until("it is told", () => mallory.denials[0]);
    assert.match(reason, /^change-refused: a change was refused: it is nested too deep/);
    assert.deepEqual(mallory.closes, []);
    assert.deepEqual(bob.closes, []);
    other.text.insert(0, "goes on");
    await other.saved();
    assert.deepEqual(mallory.denials.length, 1, "once");
  });

  test(`${version}: presence that is too large is said to be`, async () => {
    const room = `presence ${version}`;
    const bob = join("3.1", server, room);
    const ann = join(version, server, room, { token: "t" });
    await Promise.all([bob.synced(), ann.synced()]);
    const heard = [];
    ann.provider.on("stateless", ({ payload }) => heard.push(JSON.parse(payload)));
    ann.awareness.setLocalStateField("user", { name: "Ann" });
    await until("bob sees her", () => bob.sees().includes("Ann"));
    ann.awareness.setLocalStateField("drawing", "x".repeat(2_000));
    await until("she is told", () => heard.length > 0);
    assert.equal(heard[0].code, "presence_too_large");
    assert.match(heard[0].message, /max_presence_bytes/);
    ann.awareness.setLocalStateField("drawing", "y".repeat(2_000));
    ann.awareness.setLocalStateField("drawing", "small");
    await until("bob sees it", () => [...bob.awareness.getStates().values()].some(({ drawing }) => drawing === "small"));
    assert.equal(heard.length, 1, "once");
    assert.deepEqual(ann.closes, []);
  });
}

test("y-websocket: presence that is too large is counted and logged, and costs nothing else", async () => {
  const ann = join("3.1", server, "large presence");
  await ann.synced();
  ann.awareness.setLocalStateField("drawing", "x".repeat(2_000));
  await until("it is counted", async () => /reason="presence_size"\} [1-9]/.test(await (await fetch(`${server.url}/metrics`)).text()));
  assert.match(server.log, /WARN.*refused.*document=large presence.*presence_size/);
  assert.deepEqual(ann.closes, []);
});

test("over REST the answer is in words", async () => {
  const doc = new Y.Doc();
  doc.getMap("map").set("deep", nested(5_000));
  const { status, value } = await api(server, "POST", "/rest/updates", Y.encodeStateAsUpdate(doc));
  assert.equal(status, 400);
  assert.match(value.error.message, /nested too deep/);
});
