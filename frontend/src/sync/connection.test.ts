// A connection on sockets of our own making: what it sends, and what it does where nobody answers.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { connectByHocuspocus, refusal, type ConnectionEvent } from "./connection";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Opens, if it `opens`, says what it is told to say, and is never heard of again. */
function silent(opens: boolean, sent: Uint8Array[] = [], says?: Uint8Array): typeof WebSocket {
  class Silent extends EventTarget {
    readyState = 0;
    constructor() {
      super();
      if (!opens) return;
      setTimeout(() => {
        this.readyState = 1;
        this.dispatchEvent(new Event("open"));
        if (says) this.dispatchEvent(new MessageEvent("message", { data: says.slice().buffer }));
      }, 20);
    }
    send(frame: Uint8Array): void {
      sent.push(frame);
    }
    close(): void {
      this.readyState = 2;
    }
  }
  return Silent as unknown as typeof WebSocket;
}

for (const opens of [false, true]) {
  test(`an attempt that ${opens ? "opens and then " : ""}meets silence is given up, and another is made`, async () => {
    const doc = new Doc();
    const heard: ConnectionEvent[] = [];
    const connection = connectByHocuspocus({
      base: "ws://host/hocuspocus",
      document: "a document",
      doc,
      awareness: new Awareness(doc),
      report: (event) => heard.push(event),
      WebSocket: silent(opens),
    });
    const count = (type: ConnectionEvent["type"]): number => heard.filter((event) => event.type === type).length;
    connection.open();
    await vi.advanceTimersByTimeAsync(8_900);
    expect([count("connecting"), count("opened"), count("closed")]).toEqual([1, opens ? 1 : 0, 0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([count("connecting"), count("closed")]).toEqual([2, 1]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(count("closed")).toBe(3);
    connection.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(count("closed")).toBe(3);
  });
}

test("the copy on this device is not sent: the server asks for what it misses", async () => {
  const doc = new Doc();
  const sent: Uint8Array[] = [];
  const keepalive = Uint8Array.of(1, 0x61, 1, 1, 0);
  const connection = connectByHocuspocus({ base: "ws://host/hocuspocus", document: "a", doc, awareness: new Awareness(doc), report: () => undefined, WebSocket: silent(true, sent, keepalive) });
  const copy = new Doc();
  copy.getText("content").insert(0, "what was written here before");
  applyUpdate(doc, encodeStateAsUpdate(copy), "the copy");
  connection.open();
  await vi.advanceTimersByTimeAsync(1_000);
  // Name, then Sync and Update; the first two frames are the token and the question what the server has.
  const updates = sent.filter(([, , type, kind]) => type === 0 && kind === 2);
  expect(sent.length).toBeGreaterThanOrEqual(2);
  expect(updates).toEqual([]);
  doc.getText("content").insert(0, "now");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent.filter(([, , type, kind]) => type === 0 && kind === 2)).toHaveLength(1);
  connection.dispose();
});

test("a refused change is told from a refused person, in the server's words", () => {
  expect(refusal("change-refused: a change was refused: it is nested too deep")).toEqual({
    kind: "change",
    reason: "a change was refused: it is nested too deep",
  });
  expect(refusal("permission-denied")).toEqual({ kind: "denied", reason: "permission-denied" });
});
