// @vitest-environment happy-dom
// What a page knows of what waits, and lets go of: the browser's stores are fake-indexeddb's and happy-dom's.
import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { browserMessages } from "../chat/waiting";
import { ApiError, type Api, type Problem } from "../documents/api";
import { parseName, type DocumentName } from "../documents/name";
import { addressOf, browserPictures } from "../documents/pictures";
import { rememberUnsent, unsentDocuments } from "../documents/unsent";
import { databaseName } from "../sync/behind";
import { openIndexedDbCopy } from "../sync/copy";
import { waitingIn } from "../sync/send-copy";
import { forgetRefusals } from "./refusals";
import { askAgain, lookForUnsent, sendUnsent } from "./send-unsent";

const opening = Reflect.get<IDBFactory, "open">(indexedDB, "open");
let count = 0;
let name: DocumentName;
beforeEach(() => void (name = parseName(`d${String(count++)}`) as DocumentName));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  forgetRefusals(name);
  localStorage.clear();
});

async function type(kept = 1): Promise<void> {
  const doc = new Doc();
  const copy = openIndexedDbCopy(name, doc);
  await copy.loaded;
  doc.getText("t").insert(0, "Mine.");
  copy.keep(kept);
  await vi.waitFor(async () => expect((await waitingIn(name))?.kept).toBe(kept));
  copy.dispose();
  rememberUnsent(name);
}
async function put(letters: string): Promise<string> {
  const bytes = new TextEncoder().encode(letters).buffer;
  const key = await addressOf(name, bytes);
  await browserPictures.keep(name, { key, type: "image/png", bytes });
  return key;
}

function stage(problems: { readonly changes?: Problem | null; readonly pictures?: Problem | null } = {}) {
  const server = new Doc();
  const asked: string[] = [];
  const now = { ...problems };
  const answer = <T>(what: "changes" | "pictures", value: () => T): Promise<T> => {
    asked.push(what);
    const problem = now[what] ?? null;
    return problem === null ? Promise.resolve(value()) : Promise.reject(new ApiError(problem));
  };
  const api: Pick<Api, "state" | "contribute" | "upload"> = {
    state: () => answer("changes", () => new Uint8Array(encodeStateAsUpdate(server))),
    contribute: (_, update) => Promise.resolve(applyUpdate(server, update)),
    upload: (_, file) => answer("pictures", () => ({ id: "a", url: "/a", type: file.type, bytes: file.size })),
  };
  return { server, asked, now, send: () => sendUnsent(api), asks: () => asked.splice(0) };
}
/** A chat that confirms what it hears. */
class Echo {
  static readonly OPEN = 1;
  static readonly heard: string[] = [];
  readonly readyState = Echo.OPEN;
  readonly you = { session: "s", name: "Ann" };
  onmessage: ((event: { data: string }) => void) | null = null;
  constructor() {
    this.tell("history", { you: this.you, people: [this.you], messages: [], more: false });
  }
  send(frame: string): void {
    const { id, text } = (JSON.parse(frame) as { payload: { id: string; text: string } }).payload;
    Echo.heard.push(id);
    this.tell("message", { id: "018f0000-0000-7000-8000-000000000001", client_id: id, author: this.you, text, at: 1 });
  }
  close(): void {
    this.onmessage = null;
  }
  private tell(type: string, payload: unknown): void {
    queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ type, payload }) }));
  }
}
const too = (code: string): Problem => ({ kind: "refused", status: 413, code, message: code });
const said = async (): Promise<unknown> => (await lookForUnsent()).get(name);

test("what waits is shown, sent, and then neither shown nor asked about", async () => {
  await type(3);
  await put("a picture");
  const { server, send, asks } = stage();
  expect(await said()).toEqual({ count: 4, refused: null });
  expect(await send()).toEqual({ sent: true, more: false, wait: 0 });
  expect([server.getText("t").toJSON(), await said(), unsentDocuments()]).toEqual(["Mine.", undefined, []]);
  asks();
  await send();
  expect(asks()).toEqual([]);
});

test("what cannot be read is not nothing: it is said, not forgotten, and sent when it can be", async () => {
  await type();
  const { server, send } = stage();
  for (const database of [databaseName(name), "weft:pictures"]) {
    const open = (asked: string, version?: number): IDBOpenDBRequest => opening.call(indexedDB, asked, version);
    const broken = vi.spyOn(indexedDB, "open").mockImplementation((asked, version) => {
      if (asked !== database) return open(asked, version);
      const request = { error: new DOMException("broken", "UnknownError") } as unknown as IDBOpenDBRequest;
      queueMicrotask(() => void request.onerror?.(new Event("error")));
      return request;
    });
    expect(await said()).toEqual({ count: null, refused: null });
    expect(await send()).toMatchObject({ sent: false, more: true });
    expect(unsentDocuments()).toEqual([name]);
    broken.mockRestore();
    await askAgain(name);
  }
  await send();
  expect([server.getText("t").toJSON(), unsentDocuments()]).toEqual(["Mine.", []]);
});

test("a chat message that an earlier version wrote down lies where the service worker reads, also when nothing can be sent", async () => {
  await type();
  const message = { id: "ann-waiting", text: "hi", at: 1, refused: null };
  localStorage.setItem(`weft.chat:${name}`, JSON.stringify({ waiting: [message], read: null, said: [] }));
  const { send } = stage({ changes: { kind: "unreachable" } });
  expect(await send()).toMatchObject({ sent: false, more: true });
  expect(await browserMessages.of(name)).toMatchObject([message]);
  expect(await said()).toMatchObject({ count: 2 });
});

test("where the store is full, a chat message that cannot be moved there holds nothing back, and is sent itself", async () => {
  await type();
  await put("a picture");
  localStorage.setItem(`weft.chat:${name}`, JSON.stringify({ waiting: [{ id: "ann-waiting", text: "hi", at: 1, refused: null }], read: null, said: [] }));
  const full = vi.spyOn(browserMessages, "put").mockImplementation((_, messages) => (messages.length === 0 ? Promise.resolve() : Promise.reject(new DOMException("full", "QuotaExceededError"))));
  const { server, asked, send } = stage();
  vi.stubGlobal("WebSocket", Echo);
  expect(await send()).toEqual({ sent: true, more: false, wait: 0 });
  expect(full).toHaveBeenCalledWith(name, [expect.objectContaining({ id: "ann-waiting" })], expect.anything());
  expect([server.getText("t").toJSON(), asked, Echo.heard]).toEqual(["Mine.", ["changes", "pictures"], ["ann-waiting"]]);
  expect([await said(), unsentDocuments()]).toEqual([undefined, []]);
});

test("what is stored while its name is taken out is remembered", async () => {
  rememberUnsent(name);
  const { send } = stage();
  // Looked at by the round, once more before the name is taken out, and once after that.
  let looks = 0;
  vi.spyOn(browserPictures, "of").mockImplementation(() => {
    if (++looks === 3) localStorage.setItem(`weft.chat:${name}`, JSON.stringify({ waiting: [{ id: "i", text: "t", at: 1, refused: "too_long" }], read: null, said: [] }));
    return Promise.resolve([]);
  });
  await send();
  expect([looks, unsentDocuments()]).toEqual([3, [name]]);
});

test("a picture that is refused holds back nothing else, and is asked about again when the document was open, or it got through", async () => {
  await put("too large");
  const { server, now, send, asks } = stage({ pictures: too("too_large") });
  await send();
  expect(await said()).toMatchObject({ count: 1, refused: { code: "too_large" } });
  expect(asks()).toEqual(["pictures"]);
  await type();
  await send();
  expect([asks(), server.getText("t").toJSON(), await said()]).toMatchObject([["changes"], "Mine.", { count: 1 }]);
  now.pictures = null;
  await send();
  expect(asks()).toEqual([]);
  forgetRefusals(name);
  await send();
  expect([asks(), await said(), unsentDocuments()]).toEqual([["pictures"], undefined, []]);
});

test("changes that were refused are said to be so, until others wait or the document was open", async () => {
  await type();
  const { now, send, asks } = stage({ changes: too("too_large") });
  // Where it cannot be written down either.
  const full = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(await send()).toEqual({ sent: false, more: false, wait: 0 });
  expect(await said()).toMatchObject({ count: 1, refused: { code: "too_large" } });
  asks();
  await send();
  expect(asks()).toEqual([]);
  full.mockRestore();
  now.changes = null;
  await type(2);
  expect(await said()).toEqual({ count: 2, refused: null });
  await send();
  expect(await said()).toBeUndefined();
});

test("many who ask at once are answered by two looks", async () => {
  await type();
  const open = vi.spyOn(indexedDB, "open");
  await Promise.all(Array.from({ length: 50 }, () => lookForUnsent()));
  expect(open.mock.calls.filter(([asked]) => asked === databaseName(name))).toHaveLength(2);
});
