// Tabs of one browser on one channel, each with a room, a scripted connection and the server behind it.
import { expect, test } from "vitest";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { seeded } from "../testing/random";
import type { ConnectionEvent } from "./connection";
import { openRoom, type Room } from "./room";
import type { Channel } from "./channel";

/** Hands messages on in order, each to all the others, when it is told to. */
function bus(): { readonly open: () => Channel; readonly deliver: () => void } {
  const channels = new Set<Channel>();
  const queue: (() => void)[] = [];
  return {
    open: () => {
      const channel: Channel = {
        onmessage: null,
        postMessage: (message) => {
          for (const other of channels) if (other !== channel) queue.push(() => other.onmessage?.({ data: structuredClone(message) } as MessageEvent));
        },
        close: () => void channels.delete(channel),
      };
      channels.add(channel);
      return channel;
    },
    deliver: () => {
      for (let next = queue.shift(); next; next = queue.shift()) next();
    },
  };
}

interface Tab {
  readonly room: Room;
  /** The number that the copy was last told, which is one for all tabs. */
  readonly connect: () => void;
  readonly lose: () => void;
  /** The server calls durable what it was sent. */
  readonly acknowledge: () => void;
  readonly kept: () => number;
}

/** The device's store is shared by its tabs: `disk` holds the count and nothing else, as content comes over the channel. */
function openTab(channel: () => Channel, server: Doc, disk: { kept: number }): Tab {
  let report: (event: ConnectionEvent) => void = () => undefined;
  let connected = false;
  let unsaved = 0;
  const origin = {};
  const room = openRoom("a document", {
    base: "ws://host",
    signals: { network: () => "up", onNetwork: () => () => undefined, onWake: () => () => undefined },
    connect: (ports) => {
      report = ports.report;
      ports.doc.on("update", (update: Uint8Array, from: unknown) => {
        if (from === origin || !connected) return;
        applyUpdate(server, update);
        report({ type: "unsaved", count: ++unsaved });
      });
      return { origin, open: () => undefined, hurry: () => undefined, bounce: () => undefined, dispose: () => undefined };
    },
    openCopy: () => ({
      loaded: Promise.resolve({ known: true, kept: disk.kept }),
      keep: (count) => void (disk.kept = count),
      part: () => undefined,
      refresh: () => Promise.resolve(),
      dispose: () => undefined,
    }),
    openChannel: channel,
  });
  return {
    room,
    connect: () => {
      connected = true;
      report({ type: "connecting" });
      report({ type: "opened" });
      applyUpdate(room.doc, encodeStateAsUpdate(server), origin);
      applyUpdate(server, encodeStateAsUpdate(room.doc));
      report({ type: "unsaved", count: (unsaved = 1) });
      report({ type: "synced" });
    },
    lose: () => {
      connected = false;
      report({ type: "closed", code: 1006 });
    },
    acknowledge: () => {
      if (connected) report({ type: "unsaved", count: (unsaved = 0) });
    },
    kept: () => {
      const { status } = room.state();
      return "kept" in status ? status.kept : 0;
    },
  };
}

const words = (room: Room): string => room.doc.getText("content").toJSON();
const write = (room: Room, letter: string): void => room.doc.getText("content").insert(0, letter);
const opened = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
};

test("two tabs without a server show the same words and the same number", async () => {
  const [{ open, deliver }, server, disk] = [bus(), new Doc(), { kept: 0 }];
  const [one, two] = [openTab(open, server, disk), openTab(open, server, disk)];
  await opened();
  for (const tab of [one, two]) tab.lose();
  for (const letter of "abcdef") write(one.room, letter);
  for (const letter of "xyz") write(two.room, letter);
  deliver();
  expect(words(one.room)).toBe(words(two.room));
  expect([one.kept(), two.kept(), disk.kept]).toEqual([9, 9, 9]);
  const three = openTab(open, server, disk);
  await opened();
  deliver();
  three.lose();
  expect(words(three.room)).toBe(words(one.room));
  expect(three.kept()).toBe(9);
});

test("what a closed tab wrote goes to the server with the one that is left, and all tabs know it", async () => {
  const [{ open, deliver }, server, disk] = [bus(), new Doc(), { kept: 0 }];
  const [one, two, three] = [openTab(open, server, disk), openTab(open, server, disk), openTab(open, server, disk)];
  await opened();
  for (const tab of [one, two, three]) tab.lose();
  for (const letter of "precious") write(one.room, letter);
  deliver();
  one.room.dispose();
  two.connect();
  expect([three.kept(), disk.kept]).toEqual([8, 8]);
  two.acknowledge();
  deliver();
  expect(server.getText("content").toJSON()).toBe("suoicerp");
  expect([two.kept(), three.kept(), disk.kept]).toEqual([0, 0, 0]);
});

test("what was changed after the other tab was asked is not called durable", async () => {
  const [{ open, deliver }, server, disk] = [bus(), new Doc(), { kept: 0 }];
  const [one, two] = [openTab(open, server, disk), openTab(open, server, disk)];
  await opened();
  one.lose();
  two.connect();
  two.acknowledge();
  write(one.room, "a");
  deliver();
  two.acknowledge();
  // Said, but not heard by the time of the next letter.
  write(one.room, "b");
  deliver();
  expect(one.kept()).toBeGreaterThan(0);
  two.acknowledge();
  deliver();
  expect(one.kept()).toBe(0);
  expect(server.getText("content").toJSON()).toBe("ba");
});

test("random: whoever reaches the server brings all, and no count is 0 while the server lacks a letter", async () => {
  for (let round = 0; round < 60; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    const below = seeded(seed);
    const [{ open, deliver }, server, disk] = [bus(), new Doc(), { kept: 0 }];
    const tabs = Array.from({ length: 2 + below(2) }, () => openTab(open, server, disk));
    await opened();
    for (const tab of tabs) tab.lose();
    let written = 0;
    for (let step = 0; step < 40; step++) {
      const tab = tabs[below(tabs.length)] as Tab;
      switch (below(7)) {
        case 0:
          tab.connect();
          break;
        case 1:
          tab.lose();
          break;
        case 2:
          tab.acknowledge();
          break;
        case 3:
          deliver();
          break;
        default:
          write(tab.room, String.fromCharCode(97 + below(26)));
          written += 1;
      }
      const there = server.getText("content").length;
      for (const one of tabs) {
        const { status } = one.room.state();
        if (status.kind === "saved" || ("kept" in status && status.kept === 0)) {
          expect(there, `seed ${seed}, step ${step}: ${status.kind}`).toBeGreaterThanOrEqual(words(one.room).length);
        }
      }
    }
    deliver();
    const last = tabs[below(tabs.length)] as Tab;
    last.connect();
    last.acknowledge();
    deliver();
    expect(server.getText("content").length, `seed ${seed}`).toBe(written);
    for (const tab of tabs) expect(words(tab.room), `seed ${seed}`).toBe(server.getText("content").toJSON());
    expect(disk.kept, `seed ${seed}`).toBe(0);
    for (const tab of tabs) tab.room.dispose();
  }
});

test("a tab with an older page, or another program, may say what it likes", async () => {
  const [{ open }, disk] = [bus(), { kept: 0 }];
  let channel: Channel | undefined;
  const tab = openTab(() => (channel = open()), new Doc(), disk);
  await opened();
  for (const data of [null, 7, "hello", {}, { kind: "change", from: "x" }, { kind: "durable", from: "x", seen: null }, { kind: "new", from: "x" }]) {
    channel?.onmessage?.({ data } as MessageEvent);
  }
  expect(tab.kept()).toBe(0);
  expect(words(tab.room)).toBe("");
});
