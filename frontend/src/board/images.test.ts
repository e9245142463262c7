// @vitest-environment happy-dom
import { expect, test, vi } from "vitest";
import { Doc } from "yjs";
import type { WaitingPicture } from "../documents/pictures";
import { createApi } from "../documents/api";
import { parseName, type DocumentName } from "../documents/name";
import { sendPicture } from "../documents/picture-fate";
import { syncImages, type Picture } from "./images";

const PIXEL: Picture = { id: "f1", mimeType: "image/png", dataURL: "data:image/png;base64,iVBORw0KGgo=" };

const ADDRESS = "/api/v1/documents/d/attachments/a";
const stored = (): Response => Response.json({ id: "a", url: ADDRESS, type: "image/png", bytes: 8 }, { status: 201 });

/** What outlives a tab. */
type Device = Map<string, WaitingPicture>;

function stage(answer: (url: string, init?: RequestInit) => Response | Promise<Response>, device: Device | null = null, doc = new Doc()) {
  const none = (): Promise<never> => Promise.reject(new Error("this browser stores nothing"));
  const shown: Picture[] = [];
  const fetch = vi.fn((url: string, init?: RequestInit) => Promise.resolve().then(() => answer(url, init)));
  const images = syncImages({
    doc,
    send: (file, signal) => sendPicture(createApi(fetch as unknown as typeof globalThis.fetch), parseName("d") as DocumentName, file, signal),
    fetch: fetch as unknown as typeof globalThis.fetch,
    waiting: {
      keep: (picture) => (device ? Promise.resolve(void device.set(picture.key, picture)) : none()),
      all: () => (device ? Promise.resolve([...device.values()]) : none()),
      drop: (id) => (device ? Promise.resolve(void device.delete(id)) : none()),
    },
    show: (picture) => shown.push(picture),
  });
  return { doc, images, fetch, shown, files: doc.getMap("files") };
}

test("a picture put in here goes to the server once, and the document learns its address only", async () => {
  const { images, fetch, files } = stage(stored);
  for (let times = 0; times < 3; times += 1) images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(files.get("f1")).toBe("/api/v1/documents/d/attachments/a"));
  expect(fetch).toHaveBeenCalledTimes(1);
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({ method: "POST", headers: { "content-type": "image/png" } });
  expect([...new Uint8Array(await (fetch.mock.calls[0]?.[1]?.body as Blob).arrayBuffer())]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  expect(images.unsent()).toBe(0);
});

test("a picture of somebody else is fetched from this server, and from no other", async () => {
  const { images, fetch, files, shown } = stage(() => new Response(new Blob(["x"], { type: "image/png" }), { headers: { "content-type": "image/png" } }));
  images.look(new Set(["f1", "f2", "f3"]), () => null);
  files.set("f2", "https://elsewhere.example/x.png");
  files.set("f3", "/api/v1/documents/../../x");
  files.set("f1", "/api/v1/documents/d/attachments/a");
  await vi.waitFor(() => expect(shown).toHaveLength(1));
  expect(shown[0]).toMatchObject({ id: "f1", mimeType: "image/png" });
  expect(fetch).toHaveBeenCalledTimes(1);
});

test("a drawing that is served as a download is shown as an image", async () => {
  const { images, files, shown } = stage(() => new Response('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', { headers: { "content-type": "application/octet-stream" } }));
  files.set("f1", "/api/v1/documents/d/attachments/a");
  images.look(new Set(["f1"]), () => null);
  await vi.waitFor(() => expect(shown).toHaveLength(1));
  expect(shown[0]).toMatchObject({ id: "f1", mimeType: "image/svg+xml" });
  expect(shown[0]?.dataURL).toMatch(/^data:image\/svg\+xml/);
});

test("what is not a picture is not shown", async () => {
  const { images, files, shown, fetch } = stage(() => new Response("<script>", { headers: { "content-type": "text/html" } }));
  files.set("f1", "/api/v1/documents/d/attachments/a");
  images.look(new Set(["f1"]), () => null);
  await vi.waitFor(() => expect(fetch).toHaveBeenCalled());
  await new Promise((resolve) => setTimeout(resolve));
  expect(shown).toEqual([]);
});

test("nobody answers: the picture waits in this tab and is sent on the next try", async () => {
  let up = false;
  const { images, fetch, files } = stage(() => {
    if (!up) throw new TypeError("no network");
    return stored();
  });
  images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(fetch).toHaveBeenCalledTimes(1));
  expect(images.unsent()).toBe(1);
  up = true;
  await vi.waitFor(() => {
    images.retry();
    expect(files.has("f1")).toBe(true);
  });
  expect(images.unsent()).toBe(0);
});

test("nobody answers: it is said, and tried again without anybody doing anything", async () => {
  vi.useFakeTimers();
  try {
    let up = false;
    const { images, fetch, files } = stage(() => {
      if (!up) return new Response("", { status: 503 });
      return stored();
    });
    images.look(new Set(["f1"]), () => PIXEL);
    await vi.advanceTimersByTimeAsync(0);
    expect([fetch.mock.calls.length, images.waits()]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(60_000);
    const tries = fetch.mock.calls.length;
    expect(tries).toBeGreaterThan(3);
    expect(tries, "ever more slowly").toBeLessThan(12);
    up = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect([files.has("f1"), images.waits(), fetch.mock.calls.length]).toEqual([true, 0, tries + 1]);
  } finally {
    vi.useRealTimers();
  }
});

test("a refusal of Weft's own is final: the picture stays on this device and on the board, and its author is told", async () => {
  for (const [status, code] of [[404, "not_found"], [413, "too_large"], [415, "unsupported"]] as const) {
    const device: Device = new Map();
    const { images, fetch, files } = stage(() => Response.json({ error: { code, message: "why" } }, { status }), device);
    images.look(new Set(["f1"]), () => PIXEL);
    await vi.waitFor(() => expect(images.refused().map(({ id, problem }) => [id, problem.code])).toEqual([["f1", code]]));
    await vi.waitFor(() => expect(device.size).toBe(1));
    expect([...new Uint8Array((await images.refused()[0]?.file.arrayBuffer()) ?? new ArrayBuffer())].slice(1, 4)).toEqual([0x50, 0x4e, 0x47]);
    images.retry();
    await new Promise((resolve) => setTimeout(resolve));
    expect([fetch.mock.calls.length, files.size, images.waits()]).toEqual([1, 0, 0]);
    // Whoever deletes the shape, the picture is its author's.
    images.look(new Set(), () => PIXEL);
    expect([images.refused(), images.stranded().map(({ id }) => id), device.size]).toEqual([[], ["f1"], 1]);
    images.look(new Set(["f1"]), () => PIXEL);
    expect([images.refused().length, images.stranded(), fetch.mock.calls.length]).toEqual([1, [], 1]);
    // On its author's word it is gone from here too.
    images.discard(["f1"]);
    await vi.waitFor(() => expect(device.size).toBe(0));
    expect([images.refused(), images.stranded()]).toEqual([[], []]);
  }
});

test("a picture that waits and whose shape is gone is said to be here only, until it is discarded or back on the board", async () => {
  const device: Device = new Map();
  const down = (): never => {
    throw new TypeError("no network");
  };
  const { images } = stage(down, device);
  images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect([images.waits(), device.size]).toEqual([1, 1]));
  images.look(new Set(), () => null);
  expect([images.waits(), images.stranded().map(({ id }) => id)]).toEqual([0, ["f1"]]);
  expect([...new Uint8Array((await images.stranded()[0]?.file.arrayBuffer()) ?? new ArrayBuffer())].slice(1, 4)).toEqual([0x50, 0x4e, 0x47]);
  images.look(new Set(["f1"]), () => PIXEL);
  expect([images.waits(), images.stranded()]).toEqual([1, []]);
  images.look(new Set(), () => null);
  images.dispose();

  // The next visit: nothing is said before the view has looked, and an address that is none takes nothing away.
  const doc = new Doc();
  doc.getMap("files").set("f1", "//elsewhere.example/x.png");
  const next = stage(down, device, doc);
  await new Promise((resolve) => setTimeout(resolve));
  expect([next.images.stranded(), device.size]).toEqual([[], 1]);
  next.images.look(new Set(), () => null);
  expect(next.images.stranded().map(({ id }) => id)).toEqual(["f1"]);
  next.images.discard(["f1"]);
  await vi.waitFor(() => expect([next.images.stranded(), device.size]).toEqual([[], 0]));
});

test("a picture that this device could not keep either is not lost with its shape", async () => {
  const { images } = stage(() => {
    throw new TypeError("no network");
  });
  images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect([images.waits(), images.unsent()]).toEqual([1, 1]));
  images.look(new Set(), () => PIXEL);
  expect([images.unsent(), images.stranded().map(({ file }) => file.size)]).toEqual([1, [8]]);
  images.discard(["f1"]);
  expect([images.unsent(), images.stranded()]).toEqual([0, []]);
});

test("a portal's page, a gateway's refusal and a server in trouble are no answers: the picture waits, and goes out later", async () => {
  const page = (status: number): Response => new Response("<!doctype html>Log in to the hotel", { status, headers: { "content-type": "text/html" } });
  for (const answer of [() => page(200), () => page(403), () => page(413), () => page(500), () => Response.json({ error: { code: "internal", message: "x" } }, { status: 500 }), () => Response.json({ error: { code: "store_unwritable", message: "x" } }, { status: 503 })]) {
    vi.useFakeTimers();
    try {
      let up = false;
      const device: Device = new Map();
      const { images, fetch, files } = stage(() => (up ? stored() : answer()), device);
      images.look(new Set(["f1"]), () => PIXEL);
      await vi.advanceTimersByTimeAsync(60_000);
      expect([images.refused(), images.waits(), device.size, files.size]).toEqual([[], 1, 1, 0]);
      expect(fetch.mock.calls.length).toBeGreaterThan(3);
      expect(fetch.mock.calls.length, "ever more slowly").toBeLessThan(12);
      up = true;
      await vi.advanceTimersByTimeAsync(60_000);
      expect([files.get("f1"), images.waits(), device.size]).toEqual([ADDRESS, 0, 0]);
    } finally {
      vi.useRealTimers();
    }
  }
});

test("a portal's page in the place of somebody else's picture is not the last word", async () => {
  vi.useFakeTimers();
  try {
    let up = false;
    const { images, files, shown, fetch } = stage(() => (up ? new Response(new Blob(["x"], { type: "image/png" })) : new Response("<html>", { headers: { "content-type": "text/html" } })));
    files.set("f1", ADDRESS);
    images.look(new Set(["f1"]), () => null);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(shown).toEqual([]);
    up = true;
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(shown).toHaveLength(1));
    // What is never a picture is not asked for ever.
    up = false;
    files.set("f2", ADDRESS);
    images.look(new Set(["f2"]), () => null);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(fetch.mock.calls.length).toBeLessThan(40);
  } finally {
    vi.useRealTimers();
  }
});

test("a picture that waits outlives the tab: the next one shows it, sends it once, and keeps it no longer", async () => {
  const device: Device = new Map();
  const doc = new Doc();
  const before = stage(() => Promise.reject(new TypeError("no network")), device, doc);
  before.images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(device.size).toBe(1));
  expect(before.images.unsent(), "closing the tab loses nothing").toBe(0);
  before.images.dispose();

  const later = stage(stored, device, doc);
  later.images.look(new Set(["f1"]), () => null);
  await vi.waitFor(() => expect(later.files.get("f1")).toBe("/api/v1/documents/d/attachments/a"));
  expect(later.shown).toEqual([PIXEL]);
  expect(later.fetch).toHaveBeenCalledTimes(1);
  expect([...new Uint8Array(await (later.fetch.mock.calls[0]?.[1]?.body as Blob).arrayBuffer())]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  await vi.waitFor(() => expect(device.size).toBe(0));

  // Another tab, or another visit, that finds the address there has nothing to do.
  device.set("f1", { key: "f1", type: "image/png", bytes: new ArrayBuffer(8) });
  const last = stage(() => Response.json({}), device, doc);
  await vi.waitFor(() => expect(device.size).toBe(0));
  expect(last.fetch).not.toHaveBeenCalled();
});

test("a picture that arrived is not left on the device, whichever was faster", async () => {
  const device: Device = new Map();
  const { images, files } = stage(stored, device);
  images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(files.has("f1")).toBe(true));
  await vi.waitFor(() => expect(device.size).toBe(0));
});
