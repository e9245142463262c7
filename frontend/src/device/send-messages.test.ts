// Without a page: no record of one, no storage events. The browser's database is fake-indexeddb's, the chat a scripted one.
import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { browserMessages } from "../chat/waiting";
import { LATER } from "../sync/send-copy";
import { sendMessages } from "./send-messages";

const ANN = { person: "ann", name: "Ann", colour: "#0e7490" };
const SIGNALS = { network: () => "up" as const, onNetwork: () => () => undefined, onWake: () => () => undefined };
const waits = (id: string, at: number, refused: string | null = null) => ({ id, text: `text of ${id}`, at, refused });

/** A chat as the server keeps it: a message is there once under the name that its client gave it. */
class Chat {
  static readonly OPEN = 1;
  static said: Map<string, string>;
  static asked: string[];
  static names: Set<string>;
  /** What becomes of a line, or of a message: a close code, or the code of a refusal. */
  static closes: number | null;
  static refuses: (id: string) => string | null;
  readyState = 0;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(url: string) {
    Chat.names.add(new URL(url).searchParams.get("name") ?? "");
    queueMicrotask(() => {
      if (Chat.closes !== null) return this.end(Chat.closes);
      this.readyState = Chat.OPEN;
      this.tell("history", { you: this.you, people: [this.you], messages: [], more: false });
    });
  }

  readonly you = { session: "s", name: "Ann" };

  send(frame: string): void {
    const { id, text } = (JSON.parse(frame) as { payload: { id: string; text: string } }).payload;
    Chat.asked.push(id);
    const code = Chat.refuses(id);
    if (code === null && !Chat.said.has(id)) Chat.said.set(id, text);
    const number = [...Chat.said.keys()].indexOf(id);
    queueMicrotask(() => {
      if (code !== null) return this.tell("error", { code, message: code, client_id: id });
      this.tell("message", { id: `018f0000-0000-7000-8000-00000000000${String(number)}`, client_id: id, author: this.you, text, at: 1 });
    });
  }

  close(): void {
    this.end(1000);
  }

  private end(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  private tell(type: string, payload: unknown): void {
    if (this.readyState === Chat.OPEN) this.onmessage?.({ data: JSON.stringify({ type, payload }) });
  }
}

let count = 0;
let name: string;
beforeEach(() => {
  name = `d${String(count++)}`;
  Object.assign(Chat, { said: new Map(), asked: [], names: new Set(), closes: null, refuses: () => null });
  vi.stubGlobal("WebSocket", Chat);
  vi.stubGlobal("location", { protocol: "http:", host: "host" });
});
afterEach(() => vi.unstubAllGlobals());
const send = (): Promise<unknown> => sendMessages(name, ANN, SIGNALS);

test("what waits is said in order, once, and waits no longer", async () => {
  expect(await send()).toBe("nothing");
  await browserMessages.put(name, [waits("b-waiting", 1), waits("a-waiting", 2)], "Ann");
  expect(await send()).toBe("sent");
  expect([[...Chat.said.keys()], [...Chat.names], await browserMessages.of(name)]).toEqual([["b-waiting", "a-waiting"], ["Ann"], []]);
  expect(await send()).toBe("nothing");
  expect(Chat.asked).toHaveLength(2);
});

test("sent from several places at a time it is there once, and nothing of it is left", async () => {
  await browserMessages.put(name, [waits("a-waiting", 1), waits("b-waiting", 2)], "Ann");
  const outcomes = await Promise.all([send(), send(), send()]);
  expect(outcomes).toEqual(["sent", "sent", "sent"]);
  expect([[...Chat.said.keys()], await browserMessages.of(name)]).toEqual([["a-waiting", "b-waiting"], []]);
});

test("what is refused lies here with its reason, is not asked about again, and holds back no other", async () => {
  Chat.refuses = (id) => (id === "a-waiting" ? "too_long" : null);
  await browserMessages.put(name, [waits("a-waiting", 1), waits("b-waiting", 2)], "Ann");
  expect(await send()).toBe("sent");
  expect(await browserMessages.of(name)).toEqual([{ ...waits("a-waiting", 1, "too_long"), name: "Ann" }]);
  expect(await send()).toBe("nothing");
  expect(Chat.asked).toEqual(["a-waiting", "b-waiting"]);
});

test("a chat that is closed refuses all, a server that is away nothing; nothing is lost with either", async () => {
  await browserMessages.put(name, [waits("a-waiting", 1)], "Ann");
  for (const [code, outcome] of [
    [1006, { ...LATER, everywhere: true }],
    [4404, { status: 410, code: "chat_closed", message: "this chat is closed" }],
  ] as const) {
    Chat.closes = code;
    expect(await send()).toEqual(outcome);
    expect(await browserMessages.of(name)).toEqual([{ ...waits("a-waiting", 1), name: "Ann" }]);
  }
  Chat.closes = null;
  expect(await send()).toBe("sent");
});

test("the service worker sends them, of documents too that it has nothing else of, under the name they were written with", async () => {
  await browserMessages.put(name, [waits("a-waiting", 1)], "Ann Lee");
  await browserMessages.put("refused before", [waits("b-waiting", 1, "too_long")], "Ann Lee");
  vi.stubGlobal("fetch", () => Promise.reject(new Error("nothing else is asked for")));
  await import("../worker/send");
  const { sendWaiting } = globalThis as unknown as { sendWaiting: () => Promise<boolean> };
  expect(await sendWaiting()).toBe(true);
  expect([[...Chat.said.keys()], [...Chat.names], await browserMessages.of(name)]).toEqual([["a-waiting"], ["Ann Lee"], []]);
  Chat.closes = 1006;
  await browserMessages.put(name, [waits("c-waiting", 1)], "Ann Lee");
  expect(await sendWaiting(), "the browser is asked to wake it again").toBe(false);
  expect(await browserMessages.of(name)).toHaveLength(1);
});
