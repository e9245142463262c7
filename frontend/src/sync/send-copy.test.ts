// A copy on this device and a server in script; the browser's store is fake-indexeddb.
import "fake-indexeddb/auto";
import { afterEach, expect, test, vi } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate, XmlElement, XmlText } from "yjs";
import { KEPT, openCopy, REFUSED } from "./behind";
import { CHANGED, sendCopy, waitingIn, type Sending, type SendPorts } from "./send-copy";
import { inspectCopy, openIndexedDbCopy } from "./copy";

afterEach(() => void vi.restoreAllMocks());
let count = 0;
const fresh = (): string => `d${String(count++)}`;

/** A document with one paragraph, as the server and this device have it. */
function base(): Doc {
  const doc = new Doc();
  doc.clientID = 1;
  const [block, text] = [new XmlElement("paragraph"), new XmlText("Known.")];
  block.insert(0, [text]);
  doc.getXmlFragment("text").insert(0, [block]);
  doc.getMap("of").set("title", "Known");
  return doc;
}
const copyOf = (doc: Doc, client: number): Doc => {
  const copy = new Doc();
  applyUpdate(copy, encodeStateAsUpdate(doc));
  copy.clientID = client;
  return copy;
};
const paragraph = (doc: Doc): XmlElement => doc.getXmlFragment("text").get(0) as XmlElement;
const words = (doc: Doc): string => (paragraph(doc).get(0) as XmlText).toJSON();
const write = (doc: Doc, words: string): void => (paragraph(doc).get(0) as XmlText).insert(6, words);

/** Puts a document, and that so many changes of it wait, where a copy lies. */
async function keep(name: string, doc: Doc, kept = 1): Promise<void> {
  const copy = openIndexedDbCopy(name, doc);
  await copy.loaded;
  copy.keep(kept);
  await vi.waitFor(async () => expect((await waitingIn(name))?.kept).toBe(kept));
  copy.dispose();
}
const custom = async (name: string, key: string): Promise<unknown> => {
  const database = await openCopy(name);
  if (database === null) return undefined;
  const request = database.transaction("custom").objectStore("custom").get(key);
  await new Promise((resolve) => (request.onsuccess = resolve));
  database.close();
  return request.result as unknown;
};
const send = (name: string, server: Doc, ports: Partial<SendPorts> = {}): Promise<Sending> =>
  sendCopy(name, {
    state: () => Promise.resolve(encodeStateAsUpdate(server)),
    contribute: (update) => Promise.resolve(applyUpdate(server, update)),
    verdict: (error: unknown) => (error instanceof Error && error.message === "away" ? { everywhere: true, after: 0 } : { status: 413, code: "too_large", message: String(error) }),
    ...ports,
  });

test("where there is no copy nothing waits, and none is made; one that cannot be read is not none", async () => {
  expect([await openCopy("none"), await waitingIn("none"), await inspectCopy("none")]).toEqual([null, null, null]);
  expect(await indexedDB.databases()).toEqual([]);

  const name = fresh();
  await keep(name, base());
  const open = vi.spyOn(indexedDB, "open").mockImplementation(() => {
    const request = { error: new DOMException("broken", "UnknownError") } as unknown as IDBOpenDBRequest;
    queueMicrotask(() => void request.onerror?.(new Event("error")));
    return request;
  });
  for (const look of [waitingIn, inspectCopy, (name: string) => send(name, base())]) await expect(look(name)).rejects.toThrow("broken");
  open.mockImplementation(() => ({}) as IDBOpenDBRequest);
  await expect(openCopy(name, 20)).rejects.toThrow("does not answer");
});

test("what waits is sent once", async () => {
  const [name, server] = [fresh(), base()];
  const own = copyOf(server, 2);
  write(own, " Mine.");
  await keep(name, own);
  expect(await send(name, server)).toBe("sent");
  expect(words(server)).toContain("Known. Mine.");
  expect(await waitingIn(name)).toEqual({ kept: 0, refused: null });
  expect(await send(name, server)).toBe("nothing");
});

test("a refusal that there is no room to write down is said all the same", async () => {
  const [name, server] = [fresh(), base()];
  const own = copyOf(server, 2);
  write(own, " Mine.");
  await keep(name, own);
  const put = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(await send(name, server, { state: () => Promise.reject(new Error("no")) })).toMatchObject({ code: "too_large" });
  put.mockRestore();
  expect((await waitingIn(name))?.refused).toBeNull();
  expect(await send(name, server, { state: () => Promise.reject(new Error("no")) })).toMatchObject({ code: "too_large" });
  expect(await custom(name, REFUSED)).toMatchObject({ code: "too_large" });
  // It is not asked about again.
  expect(await send(name, server, { state: () => Promise.reject(new Error("away")) })).toMatchObject({ code: "too_large" });
});

test("a row that is broken is not sent as if it were not there", async () => {
  const [name, server] = [fresh(), base()];
  await keep(name, copyOf(server, 2));
  for (const row of [new Uint8Array([255, 255, 255]), "no update"]) {
    const database = (await openCopy(name)) as IDBDatabase;
    const transaction = database.transaction("updates", "readwrite");
    transaction.objectStore("updates").add(row);
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
    await expect(send(name, server)).rejects.toThrow();
    expect((await waitingIn(name))?.kept).toBe(1);
  }
});

test("it waits for its author where a colleague deleted what was written in, and only there", async () => {
  const changes: readonly [string, (colleague: Doc) => void, Sending][] = [
    ["the paragraph is gone", (doc) => doc.getXmlFragment("text").delete(0, 1), CHANGED],
    ["a letter of theirs is gone", (doc) => (paragraph(doc).get(0) as XmlText).delete(0, 2), "sent"],
    ["it is bold", (doc) => (paragraph(doc).get(0) as XmlText).format(0, 6, { bold: {} }), "sent"],
    ["it is no more", (doc) => [{ bold: {} }, { bold: null }].forEach((marks) => (paragraph(doc).get(0) as XmlText).format(0, 6, marks)), "sent"],
    ["another title", (doc) => ["One", "Two"].forEach((title) => doc.getMap("of").set("title", title)), "sent"],
    ["another attribute", (doc) => ["1", "2"].forEach((level) => paragraph(doc).setAttribute("level", level)), "sent"],
  ];
  for (const [what, change, outcome] of changes) {
    const [name, server] = [fresh(), base()];
    const own = copyOf(server, 2);
    write(own, " Mine.");
    own.getMap("of").set("title", "Mine");
    await keep(name, own);
    change(server);
    expect([what, await send(name, server)]).toEqual([what, outcome]);
  }
});

test("a room says once more that something waits when that is stored, and when a full store has taken it at last", async () => {
  const name = fresh();
  const waits = vi.fn();
  const doc = new Doc();
  const copy = openIndexedDbCopy(name, doc, { tell: () => undefined, wanted: () => true, waits });
  await copy.loaded;
  copy.keep(1);
  expect(waits).not.toHaveBeenCalled();
  await vi.waitFor(() => expect(waits).toHaveBeenCalledTimes(1));
  expect((await waitingIn(name))?.kept).toBe(1);
  copy.keep(0);
  await vi.waitFor(async () => expect(await custom(name, KEPT)).toBe(0));
  expect(waits).toHaveBeenCalledTimes(1);
  copy.dispose();
});
