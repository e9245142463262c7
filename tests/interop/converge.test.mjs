// Clients of all generations in one document hold the same, whatever they write and whenever they were away.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { EVERY, Y, api, contents, converged, durable, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

function write(client, tag) {
  client.text.insert(client.text.length, `${tag} `);
  client.map.set(tag, { by: tag, at: [1, 2, 3] });
  client.array.push([tag, 42, true]);
  const paragraph = new Y.XmlElement("paragraph");
  paragraph.setAttribute("tag", tag);
  paragraph.insert(0, [new Y.XmlText(`written by ${tag}`)]);
  client.xml.push([paragraph]);
}

test("text, map, array and XML meet in one document", async () => {
  const clients = EVERY.map((version) => join(version, server, "together"));
  await Promise.all(clients.map((client) => client.synced()));
  clients.forEach((client) => write(client, client.version));
  clients[0].text.delete(0, 1);
  const all = await converged(...clients);
  for (const version of EVERY) {
    assert.ok(all.text.includes(version.slice(1)), `${version} in ${all.text}`);
    assert.deepEqual(all.map[version], { by: version, at: [1, 2, 3] });
    assert.ok(all.array.includes(version));
    assert.ok(all.xml.includes(`written by ${version}`));
  }

  const late = join("3.1", server, "together");
  await late.synced();
  assert.deepEqual(contents(late), all);
});

test("the server's own view is the clients'", async () => {
  const client = join("3.1", server, "seen by the server");
  await client.synced();
  write(client, "one");
  client.doc.getMap("meta").set("title", "A title");
  await durable(server);
  const path = `/${encodeURIComponent("seen by the server")}`;
  await until("the title is listed", async () => (await api(server, "GET", path)).value.title === "A title");

  const state = new Y.Doc();
  Y.applyUpdate(state, (await api(server, "GET", `${path}/state`)).value);
  assert.equal(state.getText("text").toString(), "one ");
  assert.deepEqual(state.getArray("array").toJSON(), ["one", 42, true]);

  const patch = new Y.Doc();
  Y.applyUpdate(patch, Y.encodeStateAsUpdate(state));
  const before = Y.encodeStateVector(patch);
  patch.getText("text").insert(0, "from a program: ");
  const { status } = await api(server, "POST", `${path}/updates`, Y.encodeStateAsUpdate(patch, before));
  assert.ok(status >= 200 && status < 300, `status ${status}`);
  await until("the client has it", () => client.text.toString() === "from a program: one ");
});

test("edits of both sides of a lost connection meet", async () => {
  const [stays, goes] = [join("3.1", server, "away"), join("1.5", server, "away")];
  await Promise.all([stays.synced(), goes.synced()]);
  stays.text.insert(0, "the common words");
  await converged(stays, goes);

  goes.disconnect();
  goes.text.delete(0, "the ".length);
  goes.text.insert(0, "offline: ");
  stays.text.insert(stays.text.length, ", and online");
  stays.map.set("while", "away");
  assert.notDeepEqual(contents(stays), contents(goes));

  goes.connect();
  const { text, map } = await converged(stays, goes);
  assert.equal(text, "offline: common words, and online");
  assert.deepEqual(map, { while: "away" });
});

test("a first sync of many small edits arrives whole", async () => {
  const author = join("2.1", server, "long");
  await author.synced();
  for (let line = 0; line < 3_000; line++) author.text.insert(author.text.length, `line ${line}\n`);
  for (let cut = 0; cut < 500; cut++) author.text.delete(cut, 1);
  const readers = EVERY.map((version) => join(version, server, "long"));
  const { text } = await converged(author, ...readers);
  assert.equal(text.length, author.text.length);
});

test("every generation comes back by itself after the server was away, with what it wrote meanwhile", async () => {
  const clients = EVERY.map((version) => join(version, server, "server away"));
  await Promise.all(clients.map((client) => client.synced()));
  clients.forEach((client) => client.text.insert(0, `${client.version} before. `));
  await converged(...clients);
  await durable(server);

  await server.kill();
  await until("all noticed", () => clients.every((client) => !client.online()));
  clients.forEach((client) => client.text.insert(0, `${client.version} meanwhile. `));
  await server.start();
  const { text } = await converged(...clients);
  for (const version of EVERY) {
    assert.ok(text.includes(`${version} before.`) && text.includes(`${version} meanwhile.`), text);
  }

  leaveAll();
  await durable(server);
  await server.stop();
  await server.start();
  const fresh = join("3.1", server, "server away");
  await fresh.synced();
  assert.equal(fresh.text.toString(), text);
});

test("what was durable is there after kill -9, for a client that has nothing", async () => {
  const author = join("3.1", server, "killed");
  await author.synced();
  write(author, "kept");
  const written = contents(author);
  await until("the server has it", async () => {
    const state = new Y.Doc();
    Y.applyUpdate(state, (await api(server, "GET", "/killed/state")).value);
    return state.getText("text").toString() === written.text;
  });
  await durable(server);
  author.leave();
  await server.kill();
  await server.start();
  const fresh = join("2.1", server, "killed");
  await fresh.synced();
  assert.deepEqual(contents(fresh), written);
});
