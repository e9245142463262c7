// Rooms of any name: the address is what browsers make of it, the document is what the name says.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { Y_WEBSOCKET, WebSocket, api, converged, durable, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

/** Room as an app writes it, and the document it means. */
const ROOMS = [
  ["plain", "plain"],
  ["with/slashes/in it", "with/slashes/in it"],
  ["encoded%2Fslash", "encoded/slash"],
  [encodeURIComponent("a question? and #hash, 100%"), "a question? and #hash, 100%"],
  ["文件 ✍️", "文件 ✍️"],
  [encodeURIComponent("文件/é"), "文件/é"],
  ["dots.and-dashes_~!$&'()*+,;=:@", "dots.and-dashes_~!$&'()*+,;=:@"],
  ["x".repeat(256), "x".repeat(256)],
];

for (const [room, document] of ROOMS) {
  test(`room ${JSON.stringify(room.slice(0, 40))}`, async () => {
    const clients = Y_WEBSOCKET.map((version) => join(version, server, room));
    await Promise.all(clients.map((client) => client.synced()));
    clients.forEach((client) => client.text.insert(0, client.version));
    await converged(...clients);
    await durable(server);
    const { status, value } = await api(server, "GET", `/${encodeURIComponent(document)}`);
    assert.equal(status, 200);
    assert.equal(value.name, document);
    assert.equal(value.editors, Y_WEBSOCKET.length);
  });
}

test("two spellings of one name are one document", async () => {
  const [raw, encoded] = [join("3.1", server, "one/name"), join("1.5", server, "one%2Fname")];
  await Promise.all([raw.synced(), encoded.synced()]);
  raw.text.insert(0, "met");
  await until("the other has it", () => encoded.text.toString() === "met");
});

for (const [what, path] of [
  ["an empty name", "/ws/"],
  ["a blank name", "/ws/%20%20"],
  ["a name too long", `/ws/${"x".repeat(257)}`],
  ["a control character", "/ws/a%00b"],
  ["broken UTF-8", "/ws/%ff%fe"],
]) {
  test(`${what} is refused before the handshake, and nobody else is hurt`, async () => {
    const bystander = join("3.1", server, "bystander");
    await bystander.synced();
    const status = await new Promise((resolve, reject) => {
      const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}${path}`);
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.on("open", () => reject(new Error("it was let in")));
      socket.on("error", () => {});
    });
    assert.ok(status >= 400 && status < 500, `status ${status}`);
    assert.ok(bystander.provider.wsconnected);
  });
}
