// Apps that let their users in by tokens, which the recipe of docs/access.md makes: they connect, lose the token, and go on
// with another.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join as path } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import jwt from "jsonwebtoken";
import { startServer } from "./server.mjs";
import { EVERY, HOCUSPOCUS, join, leaveAll, until } from "./support.mjs";

const SECRET = "a-secret-of-these-tests-which-is-long-enough";
const HERE = fileURLToPath(new URL(".", import.meta.url));

let server, tokenFor;
before(async () => {
  // Where Node finds what the recipe imports.
  const folder = path(HERE, "node_modules/.recipe");
  await mkdir(folder, { recursive: true });
  await writeFile(path(folder, "token.key"), `${SECRET}\n`);
  const page = await readFile(path(HERE, "../../docs/access.md"), "utf8");
  const [, recipe] = page.match(/```js\n(import.*?)```/s);
  await writeFile(path(folder, "recipe.mjs"), recipe);
  process.chdir(folder);
  ({ tokenFor } = await import(pathToFileURL(path(folder, "recipe.mjs"))));
  server = await startServer({ args: ["--token-keys", path(folder, "token.key")] });
});
afterEach(leaveAll);
after(() => server?.dispose());

const ANN = { id: "ann", name: "Ann Lee" };
const isHocuspocus = (version) => HOCUSPOCUS.includes(version);
/** A client that presents what `token` answers, whenever it is asked. */
const enter = (version, room, token, options = {}) => join(version, server, room, { ...options, ...(isHocuspocus(version) ? { token } : { params: { token: token() } }) });

for (const version of EVERY) {
  test(`${version} is let in by a token, into what that names, and shown by its name`, async () => {
    const room = `team/${version}`;
    const [ann, bob] = [enter(version, room, () => tokenFor(ANN)), enter("3.1", room, () => tokenFor({ id: "bob", name: "Bob" }))];
    await Promise.all([ann.synced(), bob.synced()]);
    ann.awareness.setLocalStateField("user", { name: "The Boss", color: "#0e7490" });
    ann.text.insert(0, "by a token");
    await until("Bob reads it", () => bob.text.toString() === "by a token");
    await until("and sees who wrote it", () => bob.sees().includes("Ann Lee"));
    assert.ok(!bob.sees().includes("The Boss"));

    const elsewhere = enter(version, `others/${version}`, () => tokenFor(ANN));
    const nobody = enter(version, room, () => "nonsense");
    const refusals = isHocuspocus(version) ? [() => elsewhere.denials.includes("permission-denied"), () => nobody.denials.length > 0] : [() => elsewhere.closes.includes(4403), () => nobody.closes.includes(4401)];
    await until("elsewhere it is not", refusals[0]);
    await until("nor without one that is good", refusals[1]);
    assert.ok(!elsewhere.provider.synced && !nobody.provider.synced);
  });
}

test("every client goes on with another token when the first has ended", async () => {
  // It is good for a minute more than it says, and whoever has it is asked for another when the line beats: every nine seconds.
  const ended = () => jwt.sign({ documents: ["team/*"], access: "write", exp: Math.floor(Date.now() / 1000) - 40 }, SECRET, { subject: "ann" });
  const first = ended();
  const tokens = Object.fromEntries(EVERY.map((version) => [version, first]));
  const clients = EVERY.map((version) => enter(version, `team/renewed ${version}`, () => tokens[version], { name: version }));
  await Promise.all(clients.map((client) => client.synced()));
  for (const client of clients) client.text.insert(0, "first ");
  // Versions 3 and 4 of Hocuspocus are asked for another, and never notice the end.
  for (const version of ["H 3.4", "H 4.8"]) tokens[version] = tokenFor(ANN);
  const others = clients.filter(({ version }) => !["H 3.4", "H 4.8"].includes(version));
  await until("the others hear that it has ended", () => others.every(({ version, closes, denials }) => (isHocuspocus(version) ? denials.length > 0 : closes.includes(4401))), 40_000);
  const renewed = tokenFor(ANN);
  for (const { version, provider, connect, disconnect, online } of others) {
    tokens[version] = renewed;
    disconnect();
    await until(`${version} has left`, () => !online());
    // In version 1 the address is made once.
    if (version === "1.5") provider.url = provider.url.replace(/token=[^&]*/, `token=${renewed}`);
    else if (!isHocuspocus(version)) provider.params = { token: renewed };
    // A Hocuspocus provider of version 2 that was denied has left its socket.
    if (version === "H 2.15") await provider.connect();
    else connect();
  }
  for (const client of clients) client.text.insert(client.text.length, "and on");
  for (const { version } of clients) {
    const reader = enter("3.1", `team/renewed ${version}`, () => renewed);
    await until(`${version} goes on`, () => reader.text.toString() === "first and on");
  }
  for (const { version, denials } of clients) if (["H 3.4", "H 4.8"].includes(version)) assert.deepEqual(denials, [], version);
});
