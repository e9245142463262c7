// A state fetched from a server that says what the test says: what is asked for, what is in the document when, and what
// every kind of trouble leaves behind.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { applyUpdate, decodeStateVector, Doc, encodeStateAsUpdate, encodeStateVector } from "yjs";
import { fetchAhead } from "./ahead";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ORIGIN = "the connection";

/** A document in which each word is a change. */
function words(count: number): Doc {
  const doc = new Doc();
  doc.clientID = 1;
  for (let at = 0; at < count; at += 1) doc.getText("body").insert(at % 2 === 0 ? 0 : doc.getText("body").length, `word ${at} `);
  return doc;
}

/** Packets that come when the test says so, up to an end or a break. */
function answer(head: ResponseInit = {}): { readonly response: Response; readonly says: (bytes: Uint8Array) => void; readonly ends: () => void; readonly breaks: () => void } {
  let control: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (control = given) });
  return {
    response: new Response(body, { headers: { "content-type": "application/octet-stream" }, ...head }),
    says: (bytes) => control.enqueue(bytes),
    ends: () => control.close(),
    breaks: () => control.error(new TypeError("network error")),
  };
}

function fetching(response: Response | Promise<Response>, doc = new Doc(), signal = new AbortController().signal, pause?: () => Promise<void>) {
  const asked: string[] = [];
  const received: number[] = [];
  let over: boolean | undefined;
  const done = fetchAhead({
    address: "/state",
    doc,
    origin: ORIGIN,
    received: (bytes) => received.push(bytes),
    signal,
    ...(pause ? { pause } : {}),
    fetch: ((address: string, { signal }: { signal: AbortSignal }) => {
      asked.push(address);
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
        // As browsers do: whoever gives up does so in the middle of the body, too.
        const cut = ({ body, status, headers }: Response) => new Response(body?.pipeThrough(new TransformStream(), { signal }), { status, headers });
        void Promise.resolve(response).then(cut).then(resolve, reject);
      });
    }) as typeof fetch,
  }).then((all) => (over = all));
  return { doc, asked, received, done, over: () => over };
}

const settle = () => vi.advanceTimersByTimeAsync(50);

test("what has come is in the document before the rest is, and is none of its own changes", async () => {
  const update = encodeStateAsUpdate(words(500));
  const { response, says, ends } = answer();
  const { doc, received, over, asked } = fetching(response);
  const origins = new Set<unknown>();
  doc.on("update", (_update, origin) => origins.add(origin));
  says(update.subarray(0, 2_000));
  await settle();
  const part = doc.getText("body").length;
  expect(part).toBeGreaterThan(500);
  says(update.subarray(2_000));
  ends();
  await settle();
  expect(over()).toBe(true);
  expect(doc.getText("body").toJSON()).toBe(words(500).getText("body").toJSON());
  expect([...origins]).toEqual([ORIGIN]);
  expect(received).toEqual([2_000, update.length - 2_000]);
  expect(asked).toEqual(["/state"]);
});

test("what is here is not asked for again", async () => {
  const all = words(500);
  const doc = new Doc();
  const first = answer();
  const broken = fetching(first.response, doc);
  first.says(encodeStateAsUpdate(all).subarray(0, 3_000));
  await settle();
  first.breaks();
  await settle();
  expect(broken.over()).toBe(false);
  const vector = encodeStateVector(doc);
  expect(decodeStateVector(vector).get(1)).toBeGreaterThan(500);
  const second = answer();
  const { asked, over } = fetching(second.response, doc);
  second.says(encodeStateAsUpdate(all, vector));
  second.ends();
  await settle();
  expect(over()).toBe(true);
  expect(doc.getText("body").toJSON()).toBe(all.getText("body").toJSON());
  const given = new URL(asked[0]!, "http://host").searchParams.get("vector");
  expect(Buffer.from(given!, "base64url")).toEqual(Buffer.from(vector));
});

test("a line that brings nothing for nine seconds is given up, one that brings little is not", async () => {
  const update = encodeStateAsUpdate(words(500));
  const { response, says } = answer();
  const { over } = fetching(response);
  for (let at = 0; at < 10; at += 1) {
    says(update.subarray(at * 10, at * 10 + 10));
    await vi.advanceTimersByTimeAsync(8_000);
  }
  expect(over()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1_500);
  expect(over()).toBe(false);
  const silent = fetching(new Promise<Response>(() => undefined));
  await vi.advanceTimersByTimeAsync(9_500);
  expect(silent.over()).toBe(false);
});

test("refusals, other people's pages and garbage leave the document as it is", async () => {
  const page = new TextEncoder().encode("<!doctype html><title>Log in</title>");
  for (const head of [{ status: 404 }, { status: 503 }, { headers: { "content-type": "text/html" } }, {}]) {
    const { response, says, ends } = answer(head);
    const { doc, over } = fetching(response);
    says(page);
    ends();
    await settle();
    expect(over()).toBe(false);
    expect(encodeStateAsUpdate(doc)).toEqual(encodeStateAsUpdate(new Doc()));
  }
  const failed = fetching(Promise.reject(new TypeError("failed to fetch")));
  await settle();
  expect(failed.over()).toBe(false);
});

test("nothing is put into a document that was left, and nobody waits for it", async () => {
  const left = new AbortController();
  const update = encodeStateAsUpdate(words(500));
  const { response, says } = answer();
  const { doc, over } = fetching(response, new Doc(), left.signal);
  says(update.subarray(0, 100));
  await settle();
  const before = encodeStateVector(doc);
  left.abort();
  says(update.subarray(100));
  await settle();
  expect(over()).toBe(false);
  expect(encodeStateVector(doc)).toEqual(before);
});

test("what is written meanwhile stays where it was written", async () => {
  const all = words(500);
  const update = encodeStateAsUpdate(all);
  const { response, says, ends } = answer();
  const { doc, over } = fetching(response);
  says(update.subarray(0, 2_000));
  await settle();
  doc.getText("body").insert(0, "mine ");
  says(update.subarray(2_000));
  ends();
  await settle();
  expect(over()).toBe(true);
  applyUpdate(all, encodeStateAsUpdate(doc));
  expect(doc.getText("body").toJSON()).toBe(all.getText("body").toJSON());
  expect(doc.getText("body").toJSON()).toContain("mine ");
});

test("a page that takes long to draw what came is left in peace", async () => {
  const update = encodeStateAsUpdate(words(500));
  const { response, says, ends } = answer();
  const { doc, over } = fetching(response, new Doc(), undefined, () => new Promise((resolve) => setTimeout(resolve, 100)));
  let drawn = 0;
  doc.on("afterTransaction", ({ local }) => {
    expect(local).toBe(false);
    drawn += 1;
  });
  for (let at = 0; at < update.length; at += 200) {
    says(update.subarray(at, at + 200));
    await vi.advanceTimersByTimeAsync(100);
  }
  const packets = Math.ceil(update.length / 200);
  expect(packets).toBeGreaterThan(20);
  expect(drawn).toBeGreaterThanOrEqual(2);
  expect(drawn).toBeLessThanOrEqual(packets / 10 + 1);
  ends();
  await settle();
  expect(over()).toBe(true);
  expect(doc.getText("body").toJSON()).toBe(words(500).getText("body").toJSON());
});

test("what has come before the line broke is there, also what was not drawn yet", async () => {
  const update = encodeStateAsUpdate(words(500));
  const { response, says, breaks } = answer();
  const { doc, over } = fetching(response, new Doc(), undefined, () => new Promise((resolve) => setTimeout(resolve, 100)));
  says(update.subarray(0, 1_000));
  await vi.advanceTimersByTimeAsync(150);
  const drawn = doc.getText("body").length;
  says(update.subarray(1_000, 3_000));
  await settle();
  expect(doc.getText("body").length).toBe(drawn);
  breaks();
  await settle();
  expect(over()).toBe(false);
  expect(doc.getText("body").length).toBeGreaterThan(drawn * 2);
});
