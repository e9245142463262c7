// Going offline and coming back, by nothing but the provider's own disconnect() and connect(): what was written in between
// arrives, however soon it comes back. A server that does not hang up after the closing handshake keeps the provider in
// its old socket.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startServer } from "./server.mjs";
import { EVERY, join, leaveAll, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

const TRIES = 8;
const PAUSES = [0, 200, 1000];

for (const version of EVERY) {
  test(`${version}: who disconnects, edits and connects again is back with the edit`, async () => {
    const people = PAUSES.flatMap((pause) => Array.from({ length: TRIES }, (_, n) => ({ pause, room: `again ${version} ${pause} ${n}` })));
    const back = await Promise.allSettled(
      people.map(async ({ pause, room }) => {
        const client = join(version, server, room);
        const reader = join("3.1", server, room);
        await client.synced();
        await reader.synced();
        const line = client.socket ?? client.provider;
        line.disconnect();
        client.text.insert(0, "written offline");
        // While its old socket is still closing, the Hocuspocus provider takes a connect() for done. So at once is when
        // it says that it is offline.
        if (pause === 0) await until(`${version} is offline`, () => !client.online());
        else await new Promise((resolve) => setTimeout(resolve, pause));
        line.connect();
        return until(`the edit of ${room}`, () => reader.text.toString() === "written offline");
      }),
    );
    const lost = back.filter(({ status }) => status === "rejected").map(({ reason }) => reason.message);
    assert.deepEqual(lost, [], `${lost.length} of ${people.length} did not come back`);
  });
}
