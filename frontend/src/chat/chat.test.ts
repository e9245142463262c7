// @vitest-environment happy-dom
// A chat with a scripted line, and a line with scripted sockets: what goes out, when, and how often.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PATIENCE } from "../sync/behind";
import { openChat, type Chat } from "./chat";
import { ANN, memoryStore } from "./fixtures";
import { keyOf, readKept } from "./kept";
import { openLine, type ChatLine, type LinePorts } from "./line";
import { channelOf } from "./waiting";

let store = memoryStore();
let opened: Chat[] = [];
beforeEach(() => {
  localStorage.clear();
  store = memoryStore();
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  for (const chat of opened) chat.dispose();
  opened = [];
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A page whose chat knows what waits. */
async function stage(): Promise<ReturnType<typeof openStage>> {
  const page = openStage();
  await page.chat.settled();
  return page;
}

function openStage(): { chat: Chat; did: string[]; ports: LinePorts; said: () => { id: string; text: string }[]; look: (visible: boolean) => void } {
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
    store,
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
  opened.push(chat);
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

test("a message written offline survives the tab, where the service worker reads it too, and goes out under the name it was given", async () => {
  const first = await stage();
  first.chat.say("from the train");
  expect(first.said()).toEqual([]);
  const [waits] = first.chat.state().waiting;
  expect(readKept("notes").waiting, "written down at once").toEqual([waits]);
  first.chat.dispose();
  await first.chat.settled();
  expect([[...store.rows.values()], readKept("notes").waiting]).toEqual([[{ ...waits, name: "Ann" }], []]);

  const { chat, ports, said: sent } = await stage();
  ports.heard(history());
  expect(sent()).toEqual([{ id: waits?.id, text: "from the train" }]);
  ports.heard(said(sent()[0]?.id ?? "", "from the train"));
  expect(chat.state().waiting).toEqual([]);
  await chat.settled();
  expect(store.rows.size).toBe(0);
});

test("what an earlier version of the app wrote down is moved, and goes out in its turn, which nothing takes before it is known", async () => {
  const waits = (id: string, at: number, refused: string | null = null) => ({ id, text: id, at, refused });
  await store.put("notes", [waits("second-waiting", 6), waits("first-waiting", 4)], "Ann");
  localStorage.setItem(keyOf("notes"), JSON.stringify({ waiting: [waits("between-waiting", 5), waits("long-waiting", 7, "too_long")], read: "r", said: [] }));
  const { chat, ports, said: sent } = openStage();
  ports.heard(history());
  expect(sent()).toEqual([]);
  await chat.settled();
  expect(store.rows.get("long-waiting")).toEqual({ ...waits("long-waiting", 7, "too_long"), name: "Ann" });
  expect(JSON.parse(localStorage.getItem(keyOf("notes")) ?? "")).toMatchObject({ waiting: [], read: "r" });
  chat.say("last");
  for (let number = 0; number < 4; number++) ports.heard(said(sent().at(-1)?.id ?? "", "x", `018f0000-0000-7000-8000-00000000000${String(number)}`));
  expect(sent().map(({ text }) => text)).toEqual(["first-waiting", "between-waiting", "second-waiting", "last"]);
  expect(chat.state().waiting.map(({ id }) => id)).toEqual(["long-waiting"]);
});

test("two tabs and the service worker have one queue: what one writes the others show, and what one got through none sends again", async () => {
  const [one, other] = [await stage(), await stage()];
  one.chat.say("from one");
  other.chat.say("from the other");
  const texts = ({ chat }: typeof one): string[] => chat.state().waiting.map(({ text }) => text);
  await vi.waitFor(() => expect([texts(one).length, texts(other).length]).toEqual([2, 2]));
  expect(texts(one)).toEqual(texts(other));
  // A third one, which says nothing to a page but that it was there.
  const [first] = one.chat.state().waiting;
  await store.drop("notes", [first?.id ?? ""]);
  const worker = new BroadcastChannel(channelOf("notes"));
  worker.postMessage(null);
  worker.close();
  await vi.waitFor(() => expect([texts(one), texts(other)]).toEqual([["from the other"], ["from the other"]]));
  one.ports.heard(history());
  expect(one.said().map(({ text }) => text)).toEqual(["from the other"]);
  one.ports.heard(said(one.said()[0]?.id ?? "", "from the other"));
  await vi.waitFor(() => expect(texts(other)).toEqual([]));
  other.ports.heard(history());
  expect([other.said(), store.rows.size]).toEqual([[], 0]);
});

/** Has the chat look into the store, which answers what it had to say then when the answer is called. */
async function slowLook(): Promise<() => void> {
  const { of } = store;
  return new Promise((resolve) => {
    store.of = async (document) => {
      const rows = await of(document);
      await new Promise<void>((tell) => resolve(tell));
      return rows;
    };
    window.dispatchEvent(new StorageEvent("storage", { key: keyOf("notes") }));
  });
}

test("what another tab has only just written down is known, also while it is being moved", async () => {
  const waits = { id: "one-waiting", text: "one", at: 1, refused: null };
  const { chat, ports, said: sent } = await stage();
  localStorage.setItem(keyOf("notes"), JSON.stringify({ waiting: [waits], read: null, said: [] }));
  const tell = await slowLook();
  localStorage.setItem(keyOf("notes"), JSON.stringify({ waiting: [{ ...waits, id: "two-waiting", at: 2 }], read: null, said: [] }));
  tell();
  await chat.settled();
  expect(chat.state().waiting.map(({ id }) => id)).toEqual(["one-waiting", "two-waiting"]);
  ports.heard(history());
  expect(sent()).toHaveLength(1);
});

test("what was confirmed while the store was being read does not come back from it", async () => {
  await store.put("notes", [{ id: "one-waiting", text: "one", at: 1, refused: null }], "Ann");
  const { chat, ports, said: sent } = await stage();
  const tell = await slowLook();
  ports.heard(history());
  ports.heard(said("one-waiting", "one"));
  tell();
  await chat.settled();
  expect([chat.state().waiting, sent().length, store.rows.size]).toEqual([[], 1, 0]);
});

test("a refusal is written down, and is there with its reason for whoever opens the chat next", async () => {
  const first = await stage();
  first.ports.heard(history());
  first.chat.say("x".repeat(9));
  first.ports.heard(JSON.stringify({ type: "error", payload: { code: "too_long", message: "x", client_id: first.said()[0]?.id } }));
  first.chat.dispose();
  await first.chat.settled();
  const { chat, ports, said: sent } = await stage();
  ports.heard(history());
  expect([sent(), chat.state().waiting.map(({ refused }) => refused)]).toEqual([[], ["too_long"]]);
  chat.again(chat.state().waiting[0]?.id ?? "");
  expect(sent()).toHaveLength(1);
  await chat.settled();
  expect([...store.rows.values()].map(({ refused }) => refused)).toEqual([null]);
});

test("a refused storage is noticed, and what waits is still sent", async () => {
  vi.stubGlobal("localStorage", {
    getItem: () => null,
    setItem: () => {
      throw new Error("full");
    },
  });
  store = { ...store, put: () => Promise.reject(new Error("full")) };
  const { chat, ports, said: sent } = await stage();
  chat.say("hi");
  expect(chat.keeps()).toBe(false);
  await chat.settled();
  // Another tab has written something: what is known to this one alone stays.
  const other = new BroadcastChannel(channelOf("notes"));
  await store.drop("notes", []);
  store.rows.set("other-waiting", { id: "other-waiting", text: "other", at: 9, refused: null, name: "Ann" });
  other.postMessage(null);
  await vi.waitFor(() => expect(chat.state().waiting.map(({ text }) => text)).toEqual(["other", "hi"]));
  other.close();
  ports.heard(history());
  expect([chat.keeps(), sent().length]).toEqual([false, 1]);
});

test("a full record of the page is no loss where the store has room", async () => {
  const { chat, ports } = await stage();
  vi.stubGlobal("localStorage", {
    getItem: () => null,
    setItem: () => {
      throw new Error("full");
    },
  });
  chat.say("hi");
  expect(chat.keeps()).toBe(false);
  await chat.settled();
  expect([chat.keeps(), store.rows.size]).toEqual([true, 1]);
  // Nor is it one because what others say finds no room there.
  ports.heard(history([(JSON.parse(said("from-Bo-1", "theirs")) as { payload: unknown }).payload]));
  ports.closed(1006);
  expect([chat.keeps(), chat.state().waiting.length]).toEqual([true, 1]);
});

test("one message that lies nowhere is not kept, whatever becomes of others, until it waits no longer", async () => {
  const { chat, ports } = await stage();
  const lies = async (): Promise<boolean[]> => {
    const now = chat.keeps();
    await chat.settled();
    return [now, chat.keeps()];
  };
  chat.say("one");
  expect(await lies()).toEqual([true, true]);
  // Neither takes another message as long as this one; both let go of what they have.
  const long = "x".repeat(2_000);
  const full = (what: string): void => {
    if (what.includes(long)) throw new Error("full");
  };
  const { put } = store;
  store.put = async (document, messages, name) => {
    full(JSON.stringify(messages));
    await put(document, messages, name);
  };
  const record = new Map<string, string>();
  vi.stubGlobal("localStorage", { getItem: (key: string) => record.get(key) ?? null, setItem: (key: string, value: string) => (full(value), record.set(key, value)) });
  chat.say(long);
  expect(await lies()).toEqual([false, false]);
  ports.heard(history());
  ports.heard(said(chat.state().waiting[0]?.id ?? "", "one"));
  expect(await lies(), "the other one was let go").toEqual([false, false]);
  chat.say("three");
  expect(await lies(), "a third one has room").toEqual([false, false]);
  chat.drop(chat.state().waiting[0]?.id ?? "");
  expect([await lies(), chat.state().waiting.map(({ text }) => text)]).toEqual([[true, true], ["three"]]);
});

test("what the store refused is kept where it was written down, also when the next finds room in the store alone", async () => {
  const { chat } = await stage();
  const { put } = store;
  store.put = () => Promise.reject(new Error("full"));
  chat.say("one");
  await chat.settled();
  expect(chat.keeps()).toBe(true);
  store.put = put;
  const full = vi.spyOn(localStorage, "setItem").mockImplementation(() => {
    throw new Error("full");
  });
  chat.say("two");
  expect(chat.keeps()).toBe(false);
  await chat.settled();
  expect([chat.keeps(), readKept("notes").waiting.map(({ text }) => text), [...store.rows.values()].map(({ text }) => text)]).toEqual([true, ["one"], ["two"]]);
  full.mockRestore();
});

test("a store that does not answer keeps nobody from talking, nor loses what is said", () => {
  store = { ...store, of: () => new Promise(() => undefined), put: () => new Promise(() => undefined) };
  const { chat, ports, said: sent } = openStage();
  ports.heard(history());
  chat.say("hi");
  expect([sent(), readKept("notes").waiting.length]).toEqual([[], 1]);
  vi.advanceTimersByTime(PATIENCE);
  expect(sent()).toHaveLength(1);
});

/** A tab whose line was put down because nobody looks at it, and how often it did what since. */
async function resting(): Promise<Awaited<ReturnType<typeof stage>> & { knows: (...texts: string[]) => Promise<void>; since: () => string[] }> {
  const page = await stage();
  page.look(false);
  vi.advanceTimersByTime(5 * 60_000);
  expect(page.did.at(-1)).toBe("rest");
  const before = page.did.length;
  return {
    ...page,
    knows: (...texts) => vi.waitFor(() => expect(page.chat.state().waiting.map(({ text }) => text)).toEqual(texts)),
    since: () => page.did.slice(before),
  };
}

test("a tab that nobody looks at takes its line up for what another left behind, until that is sent", async () => {
  const { ports, said: sent, knows, since } = await resting();
  const other = await stage();
  other.chat.say("left behind");
  other.chat.dispose();
  await knows("left behind");
  vi.advanceTimersByTime(10_000);
  expect(since()).toEqual(["hurry"]);
  ports.connecting();
  vi.advanceTimersByTime(5 * 60_000);
  expect(since(), "it waits yet").toEqual(["hurry"]);
  ports.heard(history());
  expect(sent().map(({ text }) => text)).toEqual(["left behind"]);
  ports.heard(said(sent()[0]?.id ?? "", "left behind"));
  vi.advanceTimersByTime(5 * 60_000);
  expect([since()[0], since().at(-1), since().length]).toEqual(["hurry", "rest", 3]);
});

test("what another tab says, and gets through, wakes none that nobody looks at", async () => {
  const { knows, since } = await resting();
  const { chat, ports } = await stage();
  ports.heard(history());
  const confirm = (number: number): void => ports.heard(said(chat.state().waiting[0]?.id ?? "", "x", `018f0000-0000-7000-8000-00000000000${String(number)}`));
  chat.say("one");
  await knows("one");
  confirm(1);
  await knows();
  // While the first is being watched over, which says nothing of the second.
  vi.advanceTimersByTime(8_000);
  chat.say("two");
  await knows("two");
  vi.advanceTimersByTime(5_000);
  confirm(2);
  await knows();
  vi.advanceTimersByTime(60 * 60_000);
  expect(since()).toEqual([]);
  // Nor is one forgotten that was left behind while another was watched over.
  chat.say("three");
  await knows("three");
  vi.advanceTimersByTime(8_000);
  chat.say("four");
  confirm(3);
  chat.dispose();
  await knows("four");
  vi.advanceTimersByTime(5_000);
  expect(since()).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(since()).toEqual(["hurry"]);
});

test("a tab that nobody looks at rests again whatever woke it", async () => {
  const { chat, ports, since } = await resting();
  chat.hurry();
  ports.connecting();
  ports.heard(history());
  vi.advanceTimersByTime(5 * 60_000);
  expect(since()).toEqual(["hurry", "rest"]);
});

test("too fast: what was refused is sent again by itself, in order", async () => {
  const { chat, ports, said: sent } = await stage();
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

test("writing is said now and then, and taken back after a silence", async () => {
  const { chat, did, ports } = await stage();
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

test("only what others say just now is an arrival", async () => {
  const { chat, ports } = await stage();
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

test("a page nobody looks at gives its line back, unless something waits; looking again takes it up", async () => {
  const { chat, did, look } = await stage();
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
