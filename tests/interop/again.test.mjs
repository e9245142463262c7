// Going offline and coming back, by nothing but the provider's own disconnect() and connect(): what was written in between
// arrives, however soon it comes back. A server that does not hang up after the closing handshake keeps the provider in
// its old socket: not with `ws`, which hangs up by itself, but with what waits for the server, as browsers do.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { WebSocket } from "undici";
import { startServer } from "./server.mjs";
import { HOCUSPOCUS, join, leaveAll, openSocket, until } from "./support.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.dispose());
afterEach(leaveAll);

const TRIES = 8;
const PAUSES = [0, 200, 1000];

for (const version of HOCUSPOCUS) {
  test(`${version}: who disconnects, edits and connects again is back with the edit`, async () => {
    const people = PAUSES.flatMap((pause) => Array.from({ length: TRIES }, (_, n) => ({ pause, room: `again ${version} ${pause} ${n}` })));
    const back = await Promise.allSettled(
      people.map(async ({ pause, room }) => {
        const socket = openSocket(version, server.url, "", WebSocket);
        const client = join(version, server, room, { socket });
        const reader = join("3.1", server, room);
        await client.synced();
        await reader.synced();
        socket.disconnect();
        client.text.insert(0, "written offline");
        // While its old socket is still closing, the Hocuspocus provider takes a connect() for done. So at once is when
        // it says that it is offline.
        if (pause === 0) await until(`${version} is offline`, () => !client.online());
        else await new Promise((resolve) => setTimeout(resolve, pause));
        socket.connect();
        await until(`the edit of ${room}`, () => reader.text.toString() === "written offline");
        socket.destroy();
      }),
    );
    const lost = back.filter(({ status }) => status === "rejected").map(({ reason }) => reason.message);
    assert.deepEqual(lost, [], `${lost.length} of ${people.length} did not come back`);
  });
}
