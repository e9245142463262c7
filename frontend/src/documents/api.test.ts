// The REST client against a scripted `fetch`: what it asks, and what it makes of every kind of answer.
import { expect, test } from "vitest";
import { ApiError, createApi, problemOf, type Api, type Problem } from "./api";
import { COLOURS } from "../ui/colours";
import { parseName, type DocumentName } from "./name";

const named = (text: string): DocumentName => {
  const name = parseName(text);
  if (name === null) throw new Error(`not a name: ${text}`);
  return name;
};
const summary = { name: "a/b", title: " Plan ", kind: "board", bytes: 12, created: 1, modified: 2, state: "live", editors: 3, people: [{ name: " Bo ", color: "#cf2f74" }, { name: "Cy", color: "url(x)" }, { name: 7 }] };

function answering(status: number, body: unknown): { api: Api; asked: { method: string; url: string; body: unknown }[] } {
  const asked: { method: string; url: string; body: unknown }[] = [];
  const api = createApi((url, init) => {
    asked.push({ method: init?.method ?? "", url: url as string, body: init?.body });
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    return Promise.resolve(new Response(text, { status }));
  });
  return { api, asked };
}

async function problem(work: Promise<unknown>): Promise<Problem> {
  return work.then(
    () => {
      throw new Error("expected a problem");
    },
    (error: unknown) => problemOf(error),
  );
}

test("a list is asked for by shelf and cursor", async () => {
  const { api, asked } = answering(200, { documents: [summary], next: "n&1" });
  const page = await api.list("trash", "c=?1");
  expect(asked[0]).toMatchObject({ method: "GET", url: "/api/v1/documents?shelf=trash&limit=50&after=c%3D%3F1" });
  expect(page).toEqual({ documents: [{ ...summary, title: "Plan", people: [{ name: "Bo", colour: "#cf2f74" }, { name: "Cy", colour: COLOURS[0] }] }], next: "n&1" });
});

test("a name is one segment of the path, whatever it contains", async () => {
  const { api, asked } = answering(200, summary);
  await api.read(named("a/b ?#%"));
  await api.moveToTrash(named("a/b"));
  await api.restore(named("a/b"));
  expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /api/v1/documents/a%2Fb%20%3F%23%25",
    "DELETE /api/v1/documents/a%2Fb",
    "POST /api/v1/documents/a%2Fb/restore",
  ]);
});

test("deleting for ever answers nothing and asks for it by name", async () => {
  const { api, asked } = answering(204, undefined);
  await expect(api.deleteForEver(named("x"))).resolves.toBeUndefined();
  expect(asked[0]?.url).toBe("/api/v1/documents/x?permanent=true");
});

test("an update and a file are sent as they are", async () => {
  const { api, asked } = answering(200, { durable: true });
  await api.contribute(named("a/b"), new Uint8Array([1, 2]));
  expect(asked[0]).toMatchObject({ method: "POST", url: "/api/v1/documents/a%2Fb/updates" });
  expect(asked[0]?.body).toBeInstanceOf(Blob);

  const stored = { id: "1", url: "/api/v1/documents/x/attachments/1", type: "image/png", bytes: 3 };
  const images = answering(201, stored);
  expect(await images.api.upload(named("x"), new Blob(["abc"], { type: "image/png" }))).toEqual(stored);
  expect(images.asked[0]).toMatchObject({ method: "POST", url: "/api/v1/documents/x/attachments" });
});

test("whatever answers with a page of its own has done nothing, although it calls that a success", async () => {
  const page = (body: string, type: string) => createApi(() => Promise.resolve(new Response(body, { headers: { "content-type": type } })));
  for (const portal of [page("<h1>Please log in</h1>", "text/html"), page('{"login":"/now"}', "application/json")]) {
    const asked = [portal.contribute(named("x"), new Uint8Array([1])), portal.state(named("x")), portal.moveToTrash(named("x")), portal.restore(named("x")), portal.deleteForEver(named("x"))];
    for (const answer of asked) expect(await problem(answer)).toEqual({ kind: "garbled" });
  }
  expect(await page("\x00\x00", "application/octet-stream").state(named("x"))).toEqual(new Uint8Array([0, 0]));
});

test("when to come again is heard, in seconds or as a date, and nobody is sent away for a day", async () => {
  const after = (value: string, status = 503) => problem(createApi(() => Promise.resolve(new Response("", { status, headers: { "retry-after": value } }))).list("live"));
  expect(await after("7")).toEqual({ kind: "unreachable", retryAfter: 7_000 });
  expect(await after("7", 429)).toEqual({ kind: "unreachable", retryAfter: 7_000 });
  expect(await after("86400")).toEqual({ kind: "unreachable", retryAfter: 300_000 });
  expect(await after(new Date(0).toUTCString())).toEqual({ kind: "unreachable", retryAfter: 0 });
  expect(await after("soon")).toEqual({ kind: "unreachable" });
});

test("an image that would lie elsewhere is not believed: everybody who opens the document would load it", async () => {
  for (const url of ["https://elsewhere.example/x", "//elsewhere.example/x", "/\\elsewhere.example", "data:image/png;base64,AA"]) {
    const { api } = answering(201, { id: "1", url, type: "image/png", bytes: 3 });
    expect(await problem(api.upload(named("x"), new Blob(["abc"])))).toEqual({ kind: "garbled" });
  }
});

test("a refusal keeps the server's words", async () => {
  const { api } = answering(410, { error: { code: "deleted", message: "the document was deleted" } });
  expect(await problem(api.read(named("x")))).toEqual({
    kind: "refused",
    status: 410,
    code: "deleted",
    message: "the document was deleted",
  });
});

test("no server, a proxy without a server, and something else than Weft are told apart", async () => {
  const silent = createApi(() => Promise.reject(new TypeError("failed to fetch")));
  expect(await problem(silent.list("live"))).toEqual({ kind: "unreachable" });
  expect(await problem(answering(502, "<html>").api.list("live"))).toEqual({ kind: "unreachable" });
  expect(await problem(answering(200, "<html>").api.list("live"))).toEqual({ kind: "garbled" });
  expect(await problem(answering(404, "<html>").api.read(named("x")))).toEqual({ kind: "garbled" });
  for (const broken of [null, [], { ...summary, bytes: "12" }, { ...summary, state: "gone" }]) {
    expect(await problem(answering(200, broken).api.read(named("x")))).toEqual({ kind: "garbled" });
  }
});

test("a line that says nothing is given up, in the middle of an answer too; what is sent is given the time it needs", async () => {
  const waits: number[] = [];
  const frozen = (answer: (signal: AbortSignal) => Promise<Response>): { api: Api; giveUp: AbortController } => {
    const giveUp = new AbortController();
    const timeout = (ms: number): AbortSignal => (waits.push(ms), giveUp.signal);
    return { api: createApi((_, init) => answer(init?.signal ?? new AbortController().signal), timeout), giveUp };
  };
  const never = (signal: AbortSignal): Promise<Response> => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  const silent = frozen(never);
  const asked = problem(silent.api.list("live"));
  silent.giveUp.abort(new DOMException("too late", "TimeoutError"));
  expect(await asked).toEqual({ kind: "unreachable" });

  const torn = frozen((signal) => Promise.resolve(new Response(new ReadableStream({ start: (body) => signal.addEventListener("abort", () => body.error(signal.reason)) }))));
  const half = problem(torn.api.list("live"));
  torn.giveUp.abort(new DOMException("too late", "TimeoutError"));
  expect(await half).toEqual({ kind: "unreachable" });

  // Whoever asked and no longer wants to know is not told of a problem.
  const left = new AbortController();
  const unwanted = frozen(never).api.list("live", null, left.signal);
  left.abort();
  await expect(unwanted).rejects.toBe(left.signal.reason);

  const sending = frozen(() => Promise.resolve(new Response(JSON.stringify({ durable: true }))));
  await sending.api.contribute(named("x"), new Uint8Array(1024 * 1024));
  const [short, , , long] = waits;
  expect(short).toBeLessThanOrEqual(9_000);
  expect(long).toBeGreaterThan(120_000);
});

test("a document no browser can address does not take the list with it", async () => {
  const { api } = answering(200, { documents: [{ ...summary, name: ".." }, summary], next: null });
  expect((await api.list("live")).documents.map(({ name }) => name)).toEqual(["a/b"]);
});

test("other people's errors are not swallowed", () => {
  expect(() => problemOf(new RangeError("ours to fix"))).toThrow(RangeError);
  expect(new ApiError({ kind: "unreachable" }).message).toBe("unreachable");
});
