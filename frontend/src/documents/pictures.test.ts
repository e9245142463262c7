import { webcrypto } from "node:crypto";
import { afterEach, expect, test, vi } from "vitest";
import { ApiError, type Attachment } from "./api";
import { parseName, type DocumentName } from "./name";
import { addressOf, openPictures, type PictureStore, type WaitingPicture } from "./pictures";

afterEach(() => vi.unstubAllGlobals());

const named = (text: string): DocumentName => {
  const name = parseName(text);
  if (name === null) throw new Error(`not a name: ${text}`);
  return name;
};
const bytesOf = (text: string): ArrayBuffer => new TextEncoder().encode(text).buffer;

/** What outlives a tab. */
function device(): PictureStore & { readonly rows: Map<string, WaitingPicture> } {
  const rows = new Map<string, WaitingPicture>();
  const at = (document: string, key: string): string => `${document}\n${key}`;
  return {
    rows,
    keep: (document, picture) => {
      const isNew = !rows.has(at(document, picture.key));
      rows.set(at(document, picture.key), picture);
      return Promise.resolve(isNew);
    },
    of: (document) => Promise.resolve([...rows].filter(([key]) => key.startsWith(`${document}\n`)).map(([, row]) => row)),
    drop: (document, key) => Promise.resolve(void rows.delete(at(document, key))),
    forget: () => Promise.resolve(),
  };
}

function stage(store: PictureStore, answer: (file: Blob) => Promise<Attachment>) {
  const refusals: string[] = [];
  const upload = vi.fn((_name: DocumentName, file: Blob) => answer(file));
  const pictures = openPictures({ api: { upload }, document: named("notes"), store, refused: (message) => refusals.push(message), moment: 20 });
  return { pictures, upload, refusals };
}
const stored = (): Promise<Attachment> => Promise.resolve({ id: "1", url: "/api/v1/documents/notes/attachments/1", type: "image/png", bytes: 3 });
const away = (): Promise<Attachment> => Promise.reject(new ApiError({ kind: "unreachable" }));

/** The same in src/document/attachments.rs: the app writes the address before the server has seen the bytes. */
test("the address of a picture is the one that the server will give it", async () => {
  expect(await addressOf("notes", bytesOf("abc"))).toBe("/api/v1/documents/notes/attachments/ba7816bf-8f01-8fea-8141-40de5dae2223");
  expect(await addressOf("a/b (1)!*'文", bytesOf(""))).toBe("/api/v1/documents/a%2Fb%20%281%29%21%2A%27%E6%96%87/attachments/e3b0c442-98fc-8c14-9afb-f4c8996fb924");
  vi.stubGlobal("crypto", { getRandomValues: webcrypto.getRandomValues.bind(webcrypto) });
  expect(await addressOf("notes", bytesOf("abc")), "over plain HTTP").toMatch(/ba7816bf-8f01-8fea-8141-40de5dae2223$/);
});

test("a picture that waits is shown from here, survives the tab, and is sent once", async () => {
  const store = device();
  const first = stage(store, away);
  const address = await first.pictures.keep(new Blob(["abc"], { type: "image/png" }));
  expect(address).toMatch(/ba7816bf/);
  await first.pictures.send();
  expect(first.upload).toHaveBeenCalledTimes(1);

  const later = stage(store, stored);
  const local = await later.pictures.local(address ?? "");
  expect([local?.type, await local?.text()]).toEqual(["image/png", "abc"]);
  await Promise.all([later.pictures.send(), later.pictures.send()]);
  await later.pictures.send();
  expect(later.upload).toHaveBeenCalledTimes(1);
  expect(await later.pictures.local(address ?? "")).toBe(null);
  expect(store.rows.size).toBe(0);
});

test("what is put in while others are sent goes out with them, and a lost server stops the round", async () => {
  const store = device();
  let release: () => void = () => undefined;
  let up = true;
  const { pictures, upload } = stage(store, (file) => (up ? (file.size === 1 ? new Promise<void>((resolve) => (release = resolve)).then(stored) : stored()) : away()));
  await pictures.keep(new Blob(["1"]));
  const round = pictures.send();
  await vi.waitFor(() => expect(upload).toHaveBeenCalledTimes(1));
  await pictures.keep(new Blob(["22"]));
  void pictures.send();
  release();
  await round;
  expect([upload.mock.calls.length, store.rows.size]).toEqual([2, 0]);

  up = false;
  for (const text of ["333", "4444"]) await pictures.keep(new Blob([text]));
  await pictures.send();
  expect([upload.mock.calls.length, store.rows.size], "nobody there: not asked for each of them").toEqual([3, 2]);
});

test("a refused picture says why once, stays on this device, and holds up no other", async () => {
  const store = device();
  const { pictures, upload, refusals } = stage(store, (file) =>
    file.size > 3 ? Promise.reject(new ApiError({ kind: "refused", status: 413, code: "too_large", message: "at most 3" })) : stored(),
  );
  const large = await pictures.keep(new Blob(["large"]));
  await pictures.keep(new Blob(["ok"]));
  await pictures.send();
  await pictures.send();
  expect(refusals).toEqual(["at most 3"]);
  expect([...pictures.refusals.get()]).toEqual([[large, "at most 3"]]);
  expect(upload).toHaveBeenCalledTimes(2);
  expect(await (await pictures.local(large ?? ""))?.text()).toBe("large");
});

test("what is no refusal of Weft's own is none: everything stays, and what was not sent is sent later", async () => {
  for (const problem of [{ kind: "garbled" }, { kind: "refused", status: 500, code: "internal", message: "x" }, { kind: "refused", status: 503, code: "store_unwritable", message: "x" }, { kind: "refused", status: 429, code: "rate_limited", message: "x" }] as const) {
    const store = device();
    let up = false;
    const { pictures, refusals, upload } = stage(store, (file) => (up || file.size > 3 ? stored() : Promise.reject(new ApiError(problem))));
    await pictures.keep(new Blob(["abc"]));
    await pictures.keep(new Blob(["holds up no other"]));
    expect(await pictures.send()).toBe(false);
    expect([refusals, pictures.refusals.get().size, store.rows.size, upload.mock.calls.length]).toEqual([[], 0, 1, 2]);
    up = true;
    expect(await pictures.send()).toBe(true);
    expect(store.rows.size).toBe(0);
  }
});

test("a picture that is put in is kept before it is sent, and whoever puts it in does not wait for a slow line", async () => {
  const store = device();
  let release: () => void = () => undefined;
  const slow = stage(store, () => new Promise<void>((resolve) => (release = resolve)).then(stored));
  const put = await slow.pictures.put(new Blob(["abc"]));
  expect(put).toEqual({ address: await addressOf("notes", bytesOf("abc")) });
  expect([store.rows.size, slow.pictures.waiting.get().size]).toEqual([1, 1]);
  release();
  await vi.waitFor(() => expect([store.rows.size, slow.pictures.waiting.get().size]).toEqual([0, 0]));

  const nobody = stage(store, away);
  expect(await nobody.pictures.put(new Blob(["abc"]))).toEqual(put);
  expect([store.rows.size, await nobody.pictures.send()]).toEqual([1, false]);
});

test("what is refused while it is put in leaves nothing behind, and only its author is told", async () => {
  const store = device();
  const problem = { kind: "refused", status: 413, code: "too_large", message: "at most 3" } as const;
  const { pictures, refusals } = stage(store, () => Promise.reject(new ApiError(problem)));
  expect(await pictures.put(new Blob(["large"]))).toEqual({ problem });
  expect([store.rows.size, refusals, pictures.refusals.get().size, pictures.waiting.get().size]).toEqual([0, [], 0, 0]);
});

test("a picture that waits already is not lost to a refusal of the same, put in once more", async () => {
  const store = device();
  const problem = { kind: "refused", status: 413, code: "too_large", message: "at most 3" } as const;
  let up = false;
  const { pictures, refusals } = stage(store, () => Promise.reject(new ApiError(up ? problem : { kind: "unreachable" })));
  const address = await pictures.keep(new Blob(["large"]));
  up = true;
  // In another tab too, which has not seen the first.
  const elsewhere = stage(store, () => Promise.reject(new ApiError(problem)));
  for (const { put } of [pictures, elsewhere.pictures]) expect(await put(new Blob(["large"]))).toEqual({ address });
  expect([refusals, elsewhere.refusals, store.rows.size]).toEqual([["at most 3"], ["at most 3"], 1]);
  expect(await (await pictures.local(address ?? ""))?.text()).toBe("large");
});

test("the same put in twice in one breath: both are told of the refusal, and nothing is left behind", async () => {
  const store = device();
  const problem = { kind: "refused", status: 413, code: "too_large", message: "at most 3" } as const;
  const { pictures } = stage(store, () => Promise.reject(new ApiError(problem)));
  expect(await Promise.all([pictures.put(new Blob(["large"])), pictures.put(new Blob(["large"]))])).toEqual([{ problem }, { problem }]);
  expect([store.rows.size, pictures.refusals.get().size]).toEqual([0, 0]);
});

test("what was refused is discarded by its author's word, and by nothing else", async () => {
  const store = device();
  const discards: (() => void)[] = [];
  const api = { upload: () => Promise.reject(new ApiError({ kind: "refused", status: 413, code: "too_large", message: "at most 3" })) };
  const pictures = openPictures({ api, document: named("notes"), store, refused: (_message, _picture, discard) => discards.push(discard) });
  await pictures.keep(new Blob(["large"]));
  await pictures.send();
  expect([store.rows.size, discards.length]).toEqual([1, 1]);
  discards[0]?.();
  await vi.waitFor(() => expect([store.rows.size, pictures.refusals.get().size, pictures.waiting.get().size]).toEqual([0, 0, 0]));
});

test("a browser without a store keeps nothing and says so", async () => {
  const none: PictureStore = { keep: () => Promise.reject(new Error("full")), of: () => Promise.reject(new Error("none")), drop: () => Promise.resolve(), forget: () => Promise.resolve() };
  const { pictures } = stage(none, stored);
  expect(await pictures.keep(new Blob(["x"]))).toBe(null);
  expect(await pictures.local("/x")).toBe(null);
  await expect(pictures.send()).resolves.toBe(true);
  // Then it gets there at once, or not at all.
  expect(await pictures.put(new Blob(["x"]))).toEqual({ address: "/api/v1/documents/notes/attachments/1" });
  expect(await stage(none, away).pictures.put(new Blob(["x"]))).toEqual({ problem: { kind: "unreachable" } });
});
