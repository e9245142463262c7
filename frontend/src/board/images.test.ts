// @vitest-environment happy-dom
import { expect, test, vi } from "vitest";
import { Doc } from "yjs";
import type { WaitingPicture } from "../documents/pictures";
import { syncImages, type Picture, type Refusal } from "./images";

const PIXEL: Picture = { id: "f1", mimeType: "image/png", dataURL: "data:image/png;base64,iVBORw0KGgo=" };

/** What outlives a tab. */
type Device = Map<string, WaitingPicture>;

function stage(answer: (url: string, init?: RequestInit) => Response | Promise<Response>, device: Device | null = null, doc = new Doc()) {
  const none = (): Promise<never> => Promise.reject(new Error("this browser stores nothing"));
  const shown: Picture[] = [];
  const refusals: [string, Refusal][] = [];
  const fetch = vi.fn((url: string, init?: RequestInit) => Promise.resolve().then(() => answer(url, init)));
  const images = syncImages({
    doc,
    address: "/api/v1/documents/d/attachments",
    fetch: fetch as unknown as typeof globalThis.fetch,
    waiting: {
      keep: (picture) => (device ? Promise.resolve(void device.set(picture.key, picture)) : none()),
      all: () => (device ? Promise.resolve([...device.values()]) : none()),
      drop: (id) => (device ? Promise.resolve(void device.delete(id)) : none()),
    },
    show: (picture) => shown.push(picture),
    refused: (id, refusal) => refusals.push([id, refusal]),
  });
  return { doc, images, fetch, shown, refusals, files: doc.getMap("files") };
}

test("a picture put in here goes to the server once, and the document learns its address only", async () => {
  const { images, fetch, files } = stage(() => Response.json({ id: "a", url: "/api/v1/documents/d/attachments/a", type: "image/png", bytes: 8 }, { status: 201 }));
  for (let times = 0; times < 3; times += 1) images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(files.get("f1")).toBe("/api/v1/documents/d/attachments/a"));
  expect(fetch).toHaveBeenCalledTimes(1);
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({ method: "POST", headers: { "content-type": "image/png" } });
  expect([...(fetch.mock.calls[0]?.[1]?.body as Uint8Array)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
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
    return Response.json({ url: "/api/v1/documents/d/attachments/a" }, { status: 201 });
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
      return Response.json({ url: "/api/v1/documents/d/attachments/a" }, { status: 201 });
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

test("a server without attachments, and one that refuses, are told apart", async () => {
  const without = stage(() => Response.json({ error: { code: "not_found", message: "there is nothing here" } }, { status: 404 }));
  without.images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(without.refusals).toEqual([["f1", { kind: "unsupported" }]]));
  const full = stage(() => Response.json({ error: { code: "too_large", message: "a picture may have 10 MiB" } }, { status: 413 }));
  full.images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(full.refusals).toEqual([["f1", { kind: "refused", message: "a picture may have 10 MiB" }]]));
});

test("a picture that waits outlives the tab: the next one shows it, sends it once, and keeps it no longer", async () => {
  const device: Device = new Map();
  const doc = new Doc();
  const before = stage(() => Promise.reject(new TypeError("no network")), device, doc);
  before.images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(device.size).toBe(1));
  expect(before.images.unsent(), "closing the tab loses nothing").toBe(0);
  before.images.dispose();

  const later = stage(() => Response.json({ url: "/api/v1/documents/d/attachments/a" }, { status: 201 }), device, doc);
  later.images.look(new Set(["f1"]), () => null);
  await vi.waitFor(() => expect(later.files.get("f1")).toBe("/api/v1/documents/d/attachments/a"));
  expect(later.shown).toEqual([PIXEL]);
  expect(later.fetch).toHaveBeenCalledTimes(1);
  expect([...(later.fetch.mock.calls[0]?.[1]?.body as Uint8Array)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  await vi.waitFor(() => expect(device.size).toBe(0));

  // Another tab, or another visit, that finds the address there has nothing to do.
  device.set("f1", { key: "f1", type: "image/png", bytes: new ArrayBuffer(8) });
  const last = stage(() => Response.json({}), device, doc);
  await vi.waitFor(() => expect(device.size).toBe(0));
  expect(last.fetch).not.toHaveBeenCalled();
});

test("a picture that arrived is not left on the device, whichever was faster", async () => {
  const device: Device = new Map();
  const { images, files } = stage(() => Response.json({ url: "/api/v1/documents/d/attachments/a" }, { status: 201 }), device);
  images.look(new Set(["f1"]), () => PIXEL);
  await vi.waitFor(() => expect(files.has("f1")).toBe(true));
  await vi.waitFor(() => expect(device.size).toBe(0));
});
