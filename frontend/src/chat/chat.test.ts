// @vitest-environment happy-dom
// A chat with a scripted line, and a line with scripted sockets: what goes out, when, and how often.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openChat, type Chat } from "./chat";
import { ANN } from "./fixtures";
import { keyOf } from "./kept";
import { openLine, type ChatLine, type LinePorts } from "./line";

beforeEach(() => {
  localStorage.clear();
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => vi.useRealTimers());

function stage(): { chat: Chat; did: string[]; ports: LinePorts; said: () => { id: string; text: string }[]; look: (visible: boolean) => void } {
  const did: string[] = [];
  let ports: LinePorts | undefined;
  let visible = true;
  let seen: () => void = () => undefined;
  const chat = openChat({
    document: "notes",
    person: ANN,
    name: "Ann",
    colour: "#0e7490",
    base: "ws://host",
    signals: { network: () => "up", onNetwork: () => () => undefined, onWake: () => () => undefined },
    visible: () => visible,
    onVisible: (listener) => {
      seen = listener;
      return () => undefined;
    },
    openLine: (given): ChatLine => {
      ports = given;
      return { hurry: () => did.push("hurry"), rest: () => did.push("rest"), bounce: () => did.push("bounce"), say: (frame) => did.push(frame) > 0, dispose: () => did.push("end") };
    },
  });
  if (ports === undefined) throw new Error("no line was opened");
  return {
    chat,
    did,
    ports,
    said: () => did.filter((what) => what.includes('"message"')).map((what) => (JSON.parse(what) as { payload: { id: string; text: string } }).payload),
    look: (now) => {
      visible = now;
      seen();
    },
  };
}

const person = { session: "s", name: "Ann" };
const history = (messages: unknown[] = []): string => JSON.stringify({ type: "history", payload: { you: person, people: [person], inside: 1, messages, more: false } });
const said = (clientId: string, text: string, id = "018f0000-0000-7000-8000-000000000001", author = person): string =>
  JSON.stringify({ type: "message", payload: { id, client_id: clientId, author, text, at: 1_700_000_000_000 } });

test("a message written offline survives the tab, and goes out under the name it was given", () => {
  const first = stage();
  first.chat.say("from the train");
  expect(first.said()).toEqual([]);
  first.chat.dispose();

  const { chat, ports, said: sent } = stage();
  ports.heard(history());
  expect(sent()).toEqual([{ id: chat.state().waiting[0]?.id, text: "from the train" }]);
  ports.heard(said(sent()[0]?.id ?? "", "from the train"));
  expect(chat.state().waiting).toEqual([]);
  expect(JSON.parse(localStorage.getItem(keyOf("notes")) ?? "")).toMatchObject({ waiting: [] });
});

test("a refused storage is noticed, and what waits is still sent", () => {
  const { chat, ports, said: sent } = stage();
  vi.stubGlobal("localStorage", {
    getItem: () => null,
    setItem: () => {
      throw new Error("full");
    },
  });
  chat.say("hi");
  expect(chat.keeps()).toBe(false);
  ports.heard(history());
  expect(sent()).toHaveLength(1);
  vi.unstubAllGlobals();
});

test("too fast: what was refused is sent again by itself, in order", () => {
  const { chat, ports, said: sent } = stage();
  ports.heard(history());
  chat.say("one");
  chat.say("two");
  const [one] = sent();
  ports.heard(JSON.stringify({ type: "error", payload: { code: "rate_limited", message: "x", client_id: one?.id } }));
  expect(sent()).toHaveLength(1);
  vi.advanceTimersByTime(1_000);
  expect(sent().map(({ text }) => text)).toEqual(["one", "one"]);
  ports.heard(said(one?.id ?? "", "one"));
  expect(sent().map(({ text }) => text)).toEqual(["one", "one", "two"]);
  vi.advanceTimersByTime(60_000);
  expect(sent()).toHaveLength(3);
});

test("writing is said now and then, and taken back after a silence", () => {
  const { chat, did, ports } = stage();
  ports.heard(history());
  const typing = (): boolean[] => did.filter((what) => what.includes('"typing"')).map((what) => (JSON.parse(what) as { payload: { typing: boolean } }).payload.typing);
  for (let key = 0; key < 10; key++) {
    chat.types(true);
    vi.advanceTimersByTime(300);
  }
  expect(typing()).toEqual([true, true]);
  vi.advanceTimersByTime(5_000);
  expect(typing()).toEqual([true, true, false]);
  chat.types(false);
  expect(typing()).toHaveLength(3);
});

test("only what others say just now is an arrival", () => {
  const { chat, ports } = stage();
  const arrived: string[] = [];
  chat.onArrival(({ text }) => void arrived.push(text));
  ports.heard(history());
  chat.say("mine");
  ports.heard(said(chat.state().waiting[0]?.id ?? "", "mine"));
  const bo = { session: "b", name: "Bo" };
  const theirs = said("from-Bo-1", "theirs", "018f0000-0000-7000-8000-000000000002", bo);
  ports.heard(theirs);
  ports.heard(theirs);
  expect(arrived).toEqual(["theirs"]);
  expect(chat.unread()).toBe(1);
});

test("a page nobody looks at gives its line back, unless something waits; looking again takes it up", () => {
  const { chat, did, look } = stage();
  look(false);
  vi.advanceTimersByTime(4 * 60_000);
  look(true);
  look(false);
  vi.advanceTimersByTime(4 * 60_000);
  expect(did).not.toContain("rest");
  vi.advanceTimersByTime(60_000);
  expect(did.at(-1)).toBe("rest");
  look(true);
  expect(did.at(-1)).toBe("hurry");
  chat.say("waits");
  look(false);
  vi.advanceTimersByTime(10 * 60_000);
  expect(did.filter((what) => what === "rest")).toHaveLength(1);
});

class FakeSocket {
  static readonly OPEN = 1;
  static made: FakeSocket[] = [];
  readyState = 0;
  sent: string[] = [];
  onmessage: (event: { data: unknown }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;
  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }
  send(frame: string): void {
    this.sent.push(frame);
  }
  close(): void {
    this.readyState = 2; // the goodbye of a dead line comes late, or never
  }
  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.onmessage({ data: "{}" });
  }
}

function wire(): { line: ChatLine; told: string[]; sockets: FakeSocket[] } {
  FakeSocket.made = [];
  const told: string[] = [];
  const line = openLine({
    address: () => "ws://host/chat/notes?name=Ann",
    connecting: () => told.push("connecting"),
    heard: () => told.push("heard"),
    closed: (code) => told.push(`closed ${code}`),
    ended: () => told.push("ended"),
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    random: () => 1,
  });
  line.hurry();
  return { line, told, sockets: FakeSocket.made };
}

test("a lost line comes back after waits that double, and begins anew once something was heard", () => {
  const { sockets } = wire();
  const lose = (): void => sockets.at(-1)?.onclose({ code: 1006 });
  for (const wait of [500, 1_000, 2_000]) {
    const before = sockets.length;
    lose();
    vi.advanceTimersByTime(wait - 1);
    expect(sockets).toHaveLength(before);
    vi.advanceTimersByTime(1);
    expect(sockets).toHaveLength(before + 1);
  }
  sockets.at(-1)?.open();
  lose();
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(5);
});

test("hurrying tries at once, and no wait is left over that would open a second socket", () => {
  const { line, sockets } = wire();
  sockets[0]?.onclose({ code: 1006 });
  line.hurry();
  expect(sockets).toHaveLength(2);
  sockets[1]?.open();
  vi.advanceTimersByTime(19_000);
  expect(sockets).toHaveLength(2);
});

test("a silent line is dead: one that was asked for a word after a few seconds, any other after twice the server's rhythm", () => {
  const { line, told, sockets } = wire();
  sockets[0]?.open();
  vi.advanceTimersByTime(11_000);
  line.hurry();
  expect(sockets[0]?.sent).toEqual(['{"type":"ping","payload":{}}']);
  vi.advanceTimersByTime(2_999);
  expect(told).not.toContain("closed 1006");
  vi.advanceTimersByTime(1);
  expect(told.at(-1)).toBe("closed 1006");
  vi.advanceTimersByTime(500);
  sockets[1]?.open();
  vi.advanceTimersByTime(20_000);
  expect(told.filter((what) => what === "closed 1006")).toHaveLength(2);
  // The late goodbye of the first one concerns nobody.
  const count = told.length;
  sockets[0]?.onclose({ code: 1006 });
  expect(told).toHaveLength(count);
});

test("codes decide: gone and forbidden are final, full is patient, rest is rest", () => {
  for (const code of [4401, 4403, 4404]) {
    const { told, sockets } = wire();
    sockets[0]?.onclose({ code });
    vi.advanceTimersByTime(120_000);
    expect([told.at(-1), sockets.length]).toEqual(["ended", 1]);
  }
  const { line, sockets } = wire();
  sockets[0]?.onclose({ code: 1013 });
  vi.advanceTimersByTime(19_999);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(sockets).toHaveLength(2);
  line.rest();
  sockets[1]?.onclose({ code: 1000 });
  vi.advanceTimersByTime(120_000);
  expect(sockets).toHaveLength(2);
  line.hurry();
  expect(sockets).toHaveLength(3);
});
