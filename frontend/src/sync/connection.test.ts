// A connection on sockets that say nothing: a gateway that takes them and swallows what they send.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc } from "yjs";
import { connectByHocuspocus, type ConnectionEvent } from "./connection";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Opens, if it `opens`, and is never heard of again. */
function silent(opens: boolean): typeof WebSocket {
  class Silent extends EventTarget {
    readyState = 0;
    constructor() {
      super();
      if (!opens) return;
      setTimeout(() => {
        this.readyState = 1;
        this.dispatchEvent(new Event("open"));
      }, 20);
    }
    send(): void {}
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
