// A room with a scripted connection and a scripted copy: the order in which things happen, and what is told to whom.
import { expect, test, vi } from "vitest";
import type { ConnectionEvent } from "./connection";
import type { LoadedCopy } from "./copy";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { LARGE, openRoom, type AheadPorts, type Room, type RoomPorts } from "./room";

interface Stage {
  readonly room: Room;
  readonly did: string[];
  readonly report: (event: ConnectionEvent) => void;
  readonly loadCopy: (copy: LoadedCopy | null) => Promise<void>;
  readonly network: (state: "up" | "down") => void;
  readonly wake: () => void;
  readonly answers: (reachable: boolean) => void;
  readonly refusesToStore: (refuses: boolean) => void;
}

function stage(more: Partial<RoomPorts> = {}): Stage {
  const did: string[] = [];
  const noted = (what: string) => (): void => void did.push(what);
  let report: (event: ConnectionEvent) => void = () => undefined;
  let loaded: (copy: LoadedCopy | null) => void = () => undefined;
  let network: (state: "up" | "down") => void = () => undefined;
  let wake: () => void = () => undefined;
  let reachable = false;
  let refuses = false;
  let isPart = false;
  const room = openRoom("a document", {
    base: "ws://host/ws",
    signals: {
      network: () => "up",
      onNetwork: (listener) => {
        network = listener;
        return noted("deaf to the network");
      },
      onWake: (listener) => {
        wake = listener;
        return noted("deaf to waking");
      },
    },
    connect: (ports) => {
      report = ports.report;
      return { origin: "server", open: noted("open"), hurry: noted("hurry"), bounce: noted("bounce"), dispose: noted("connection closed") };
    },
    openCopy: () => ({
      loaded: new Promise((resolve) => (loaded = resolve)),
      keep: (count) => void did.push(`keep ${count}`),
      part: (is) => {
        // Said again, nothing happens.
        if (is !== isPart) did.push(is ? "part" : "whole");
        isPart = is;
      },
      refresh: () => Promise.resolve(did.push("refresh")).then(() => undefined),
      dispose: noted("copy closed"),
    }),
    openChannel: () => ({ onmessage: null, postMessage: () => undefined, close: noted("channel closed") }),
    reachable: () => Promise.resolve(reachable),
    refusesToStore: () => Promise.resolve(refuses),
    onKept: (document) => void did.push(`kept ${document}`),
    ...more,
  });
  return {
    room,
    did,
    report: (event) => report(event),
    loadCopy: async (copy) => {
      loaded(copy);
      await Promise.resolve();
      await Promise.resolve();
    },
    network: (state) => network(state),
    wake: () => wake(),
    answers: (answer) => void (reachable = answer),
    refusesToStore: (answer) => void (refuses = answer),
  };
}

const write = (room: Room): void => void room.doc.getMap("meta").set("title", String(Math.random()));
const synced: ConnectionEvent[] = [
  { type: "connecting" },
  { type: "opened" },
  { type: "unsaved", count: 1 },
  { type: "synced" },
  { type: "unsaved", count: 0 },
];
const closed: ConnectionEvent = { type: "closed", code: 1006 };

test("the copy is read before the socket is opened", async () => {
  const { room, did, loadCopy } = stage();
  expect(did).toEqual([]);
  await loadCopy({ known: true, kept: 3 });
  expect(did).toContain("open");
  expect(room.state().status).toEqual({ kind: "cached", kept: 3 });
});

test("a browser without storage still connects", async () => {
  const { did, loadCopy } = stage();
  await loadCopy(null);
  expect(did).toEqual(["open"]);
});

test("own changes are counted while the server is away, and the count is kept with the copy", async () => {
  const { room, did, loadCopy, report } = stage();
  await loadCopy({ known: false, kept: 0 });
  synced.forEach(report);
  expect(did).toContain("kept a document");
  report(closed);
  write(room);
  write(room);
  expect(room.state().status).toEqual({ kind: "reconnecting", kept: 2 });
  expect(did.slice(-2)).toEqual(["keep 1", "keep 2"]);
  synced.forEach(report);
  expect(room.state().status).toEqual({ kind: "saved" });
  expect(did.at(-1)).toBe("keep 0");
});

test("listeners hear of changes, and only of changes", async () => {
  const { room, loadCopy, report } = stage();
  const heard: string[] = [];
  const end = room.subscribe(() => heard.push(room.state().status.kind));
  await loadCopy({ known: true, kept: 0 });
  synced.forEach(report);
  write(room);
  const before = room.state();
  report({ type: "synced" });
  expect(room.state()).toBe(before);
  expect(heard).toEqual(["cached", "saving", "saved"]);
  end();
  report({ type: "refused", why: { kind: "gone" } });
  expect(heard).toHaveLength(3);
});

test("a change that waits for its acknowledgement is worth a word after a while, and not before", async () => {
  vi.useFakeTimers();
  try {
    const { room, loadCopy, report } = stage();
    await loadCopy({ known: true, kept: 0 });
    synced.forEach(report);
    report({ type: "unsaved", count: 1 });
    vi.advanceTimersByTime(799);
    expect(room.state().status).toEqual({ kind: "saving", slow: false });
    vi.advanceTimersByTime(1);
    expect(room.state().status).toEqual({ kind: "saving", slow: true });
    report({ type: "unsaved", count: 0 });
    expect(room.state().status).toEqual({ kind: "saved" });
    report({ type: "unsaved", count: 1 });
    vi.advanceTimersByTime(500);
    report({ type: "unsaved", count: 0 });
    report({ type: "unsaved", count: 1 });
    vi.advanceTimersByTime(500);
    expect(room.state().status).toEqual({ kind: "saving", slow: false });
  } finally {
    vi.useRealTimers();
  }
});

test("a server that stores nothing is asked for the reason, and believed again at its first acknowledgement", async () => {
  vi.useFakeTimers();
  try {
    const { room, loadCopy, report, refusesToStore } = stage();
    await loadCopy({ known: true, kept: 0 });
    synced.forEach(report);
    refusesToStore(true);
    write(room);
    report({ type: "unsaved", count: 1 });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(room.state().status).toEqual({ kind: "not-stored", kept: 1 });
    write(room);
    report({ type: "unsaved", count: 2 });
    expect(room.state().status).toEqual({ kind: "not-stored", kept: 2 });
    report({ type: "unsaved", count: 1 });
    report({ type: "unsaved", count: 0 });
    expect(room.state().status).toEqual({ kind: "saved" });
    // Left in the middle of it, nobody asks any more.
    write(room);
    report({ type: "unsaved", count: 1 });
    room.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("when no socket will ever open, the server is asked by HTTP whether it is there", async () => {
  const { room, loadCopy, report, answers } = stage();
  await loadCopy({ known: true, kept: 0 });
  answers(true);
  for (let attempt = 0; attempt < 3; attempt++) [{ type: "connecting" } as const, closed].forEach(report);
  await vi.waitFor(() => expect(room.state().status).toEqual({ kind: "no-websocket", readable: true }));
});

test("the network's word is checked with a new socket, not believed", async () => {
  const { did, loadCopy, network, wake } = stage();
  await loadCopy({ known: true, kept: 0 });
  network("down");
  network("up");
  wake();
  expect(did).toEqual(["open", "bounce", "hurry", "hurry"]);
});

test("closing lets go of everything, once", async () => {
  const { room, did, loadCopy, report } = stage();
  room.dispose();
  room.dispose();
  await loadCopy({ known: true, kept: 0 });
  report({ type: "synced" });
  expect(did).toEqual(["deaf to the network", "deaf to waking", "connection closed", "channel closed", "copy closed"]);
});

/** A part of a document, as one update. */
const part = (title: string): Uint8Array => {
  const doc = new Doc();
  doc.getMap("meta").set("title", title);
  return encodeStateAsUpdate(doc);
};
const shows = (doc: Doc): boolean => doc.getMap("meta").has("title");

test("a large document is fetched before the socket is opened, and opens with what has come", async () => {
  vi.useFakeTimers();
  try {
    let ahead: AheadPorts | undefined;
    let end: (all: boolean) => void = () => undefined;
    const { room, did, loadCopy, report } = stage({
      expect: () => Promise.resolve({ bytes: LARGE, shows }),
      fetchAhead: (ports) => {
        ahead = ports;
        return new Promise((resolve) => (end = resolve));
      },
    });
    await loadCopy({ known: false, kept: 0 });
    await vi.advanceTimersByTimeAsync(900);
    ahead!.received(LARGE / 4);
    applyUpdate(ahead!.doc, part("here"), ahead!.origin);
    ahead!.received(LARGE / 4);
    expect(room.state().status.kind).toBe("opening");
    await vi.advanceTimersByTimeAsync(200);
    expect(room.state().status).toEqual({ kind: "loading", percent: 50, readable: true, kept: 0 });
    expect(did).toEqual(["part"]);
    write(room);
    expect(room.state().status).toMatchObject({ kind: "loading", kept: 1 });
    end(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(did.slice(1)).toEqual(["keep 1", "whole", "open"]);
    // Until the server has said that this is all.
    expect(room.state().status).toMatchObject({ kind: "loading", readable: true, kept: 1 });
    synced.forEach(report);
    expect(room.state().status.kind).toBe("saved");
  } finally {
    vi.useRealTimers();
  }
});

test("what was not fetched comes by the socket, and counts on from where it broke off", async () => {
  vi.useFakeTimers();
  try {
    const { room, did, loadCopy, report } = stage({
      expect: () => Promise.resolve({ bytes: LARGE, shows }),
      fetchAhead: ({ doc, origin, received }) => {
        received(LARGE / 4);
        applyUpdate(doc, part("here"), origin);
        return Promise.resolve(false);
      },
    });
    await loadCopy({ known: false, kept: 0 });
    await vi.advanceTimersByTimeAsync(1_100);
    expect(did).toEqual(["part", "open"]);
    report({ type: "connecting" });
    report({ type: "opened" });
    report({ type: "came", bytes: LARGE / 4 });
    expect(room.state().status).toEqual({ kind: "loading", percent: 50, readable: true, kept: 0 });
    synced.slice(2).forEach(report);
    expect(did).toContain("whole");
    expect(room.state().status.kind).toBe("saved");
  } finally {
    vi.useRealTimers();
  }
});

for (const [what, known, fetchAhead] of [
  ["small", () => Promise.resolve({ bytes: LARGE - 1, shows }), () => Promise.reject(new Error("nobody asks"))],
  ["not known", () => Promise.resolve(null), () => Promise.reject(new Error("nobody asks"))],
  ["at a server that says nothing of it", () => Promise.reject(new Error("404")), () => Promise.reject(new Error("nobody asks"))],
  ["at a server that answers late", () => new Promise<null>(() => undefined), () => Promise.reject(new Error("nobody asks"))],
  ["large, and what would fetch it is missing", () => Promise.resolve({ bytes: LARGE, shows }), () => Promise.reject(new Error("no such chunk"))],
] as const) {
  test(`a document that is ${what} comes by the socket`, async () => {
    vi.useFakeTimers();
    try {
      const { did, loadCopy, report } = stage({ expect: known, fetchAhead });
      await loadCopy({ known: false, kept: 0 });
      await vi.advanceTimersByTimeAsync(500);
      expect(did).toEqual(["open"]);
      synced.forEach(report);
      expect(did).not.toContain("part");
    } finally {
      vi.useRealTimers();
    }
  });
}

test("of a document that is on this device nothing is fetched ahead", async () => {
  const { did, loadCopy } = stage({ expect: () => Promise.reject(new Error("nobody asks")) });
  await loadCopy({ known: true, kept: 0 });
  expect(did).toEqual(["open"]);
});

test("whoever leaves while it is fetched opens no socket", async () => {
  let signal: AbortSignal | undefined;
  let end: (all: boolean) => void = () => undefined;
  const { room, did, loadCopy } = stage({
    expect: () => Promise.resolve({ bytes: LARGE, shows }),
    fetchAhead: (ports) => {
      signal = ports.signal;
      return new Promise((resolve) => (end = resolve));
    },
  });
  await loadCopy({ known: false, kept: 0 });
  await vi.waitFor(() => expect(signal).toBeDefined());
  room.dispose();
  expect(signal?.aborted).toBe(true);
  end(false);
  await new Promise((resolve) => setTimeout(resolve));
  expect(did).not.toContain("open");
});
