// Whatever Yjs writes, Weft takes, keeps, and gives back as its author saw it. The oracle is Yjs itself: random documents of
// several versions, live, as one step 2, as one REST update, and after a restart.
//
//   WEFT_SEEDS=20000 node --test differential.test.mjs        as many, from seed 0 on; WEFT_SEED=n for one
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as encoding from "lib0/encoding";
import WebSocket from "ws";
import { make, read } from "./documents.mjs";
import { startServer } from "./server.mjs";

const SEEDS = Number(process.env.WEFT_SEEDS ?? 300);
const FIRST = process.env.WEFT_SEED === undefined ? 0 : Number(process.env.WEFT_SEED);
const COUNT = process.env.WEFT_SEED === undefined ? SEEDS : 1;
/** Documents under way at the same time. */
const TOGETHER = 16;
/** Documents in one folder before the server is restarted and read again. */
const BATCH = 300;

let server;
before(async () => (server = await startServer({ args: ["--durability", "kill", "--group-commit-ms", "1"] })));
after(() => server.dispose());

/** Sends frames of the y-websocket protocol, and resolves when each has come back, which is when it is durable. */
function say(room, frames) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/ws/${room}?echo=durable`);
    let owed = frames.length;
    const late = setTimeout(() => reject(new Error(`${owed} of ${frames.length} frames did not come back`)), 20_000);
    socket.on("error", reject);
    socket.on("close", (code, reason) => reject(new Error(`closed with ${code} ${reason}`)));
    socket.on("open", () => frames.forEach((frame) => socket.send(frame)));
    const done = () => {
      clearTimeout(late);
      socket.removeAllListeners("close");
      socket.close();
      resolve(stored(room));
    };
    socket.on("message", ([kind, what]) => {
      if (kind === 0 && what === 2 && --owed === 0) done();
    });
  });
}

function frame(kind, update) {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, 0);
  encoding.writeVarUint(encoder, kind);
  encoding.writeVarUint8Array(encoder, update);
  return encoding.toUint8Array(encoder);
}

const WAYS = {
  live: (name, { updates }) => say(name, updates.map((update) => frame(2, update))),
  "step 2": (name, { state }) => say(name, [frame(1, state)]),
  REST: async (name, { state }) => {
    const send = () => fetch(`${server.url}/api/v1/documents/${name}/updates`, { method: "POST", body: state });
    let answer = await send();
    // On a busy disk a change may not be durable in time; whoever is told so sends it once more.
    for (let again = 0; answer.status === 503 && again < 10; again++) answer = await send();
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return stored(name);
  },
};

async function stored(name) {
  const answer = await fetch(`${server.url}/api/v1/documents/${name}/state`);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Does `work` for each, a few at a time. */
async function each(list, work) {
  const left = [...list];
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
  }));
}

test(`what ${COUNT} authors wrote comes back as they saw it`, async () => {
  console.log(`seeds ${FIRST} to ${FIRST + COUNT - 1}`);
  const wrong = [];
  let skipped = 0;
  const compare = (document, way, state) => {
    const shown = JSON.stringify(read(document.lib, state));
    const expected = JSON.stringify(document.seen);
    if (shown !== expected) {
      const at = [...expected].findIndex((letter, index) => letter !== shown[index]);
      throw new Error(`differs at ${at}: …${expected.slice(Math.max(0, at - 60), at + 120)}… is shown as …${shown.slice(Math.max(0, at - 60), at + 120)}…`);
    }
  };
  for (let first = FIRST; first < FIRST + COUNT; first += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, FIRST + COUNT - first) }, (_, n) => first + n);
    const kept = [];
    await each(seeds, async (seed) => {
      const document = make(seed);
      if (document === null) return void (skipped += 1);
      for (const [way, send] of Object.entries(WAYS)) {
        const name = `${seed}-${way.replace(" ", "")}`;
        try {
          compare(document, way, await send(name, document));
          if (document.state.length > 2) kept.push({ name, way, document });
        } catch (error) {
          wrong.push(`seed ${seed}, Yjs ${document.version}, gc ${document.gc}, ${way}: ${error.message}`);
        }
      }
    });
    await server.stop();
    await server.start();
    await each(kept, async ({ name, way, document }) => {
      try {
        compare(document, way, await stored(name));
      } catch (error) {
        wrong.push(`seed ${document.seed}, Yjs ${document.version}, gc ${document.gc}, ${way}, after a restart: ${error.message}`);
      }
    });
  }
  assert.ok(skipped <= COUNT * 0.05, `${skipped} of ${COUNT} documents could not be compared`);
  assert.equal(wrong.length, 0, `${wrong.length} are wrong:\n${wrong.slice(0, 20).join("\n")}`);
});
