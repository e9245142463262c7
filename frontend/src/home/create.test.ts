// New documents against a scripted server: what is sent, in which order, and what is refused before anything is.
import { beforeEach, expect, test, vi } from "vitest";
import { Doc, applyUpdate } from "yjs";
import { ApiError, type Api, type Problem } from "../documents/api";
import type { Beginning } from "../documents/beginning";
import { KINDS, readKind } from "../documents/kind";
import { readTitle } from "../documents/title";
import { MissingPart } from "../ui/missing";
import { ImportError, LARGEST_IMPORT, createDocument, importDocument, readText } from "./create";

const here = vi.hoisted(() => ({ made: [] as unknown[], stores: true }));
vi.mock("../device/make-here", () => ({
  makeHere: ({ kind, title }: Beginning, name: string) => (here.made.push([kind, title, name]), Promise.resolve(here.stores)),
}));
beforeEach(() => Object.assign(here, { made: [], stores: true }));

const drawable = (): Promise<void> => Promise.resolve();

/** A server that answers everything with `problem`, if there is one. */
function scripted(problem?: Problem): { readonly api: Api; readonly sent: string[]; readonly doc: Doc } {
  const sent: string[] = [];
  const doc = new Doc();
  const api: Pick<Api, "contribute"> = {
    contribute: (name, update) => {
      sent.push(name);
      if (problem) return Promise.reject(new ApiError(problem));
      applyUpdate(doc, update);
      return Promise.resolve();
    },
  };
  return { api: api as Api, sent, doc };
}

test("a document is sent whole, saying what it is, under a name that is made here", async () => {
  for (const kind of KINDS) {
    const { api, sent, doc } = scripted();
    const made = await createDocument(api, kind, drawable);
    expect([made.kind, sent, readKind(doc)]).toEqual([kind, [made.name], kind]);
    expect(made.name).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // The server makes no document of an update that holds nothing.
    expect(doc.getMap("meta").get("kind")).toBe(kind);
  }
});

test("when nobody answers it is made on this device, under the name that was tried: no second document comes of it", async () => {
  const { api, sent } = scripted({ kind: "unreachable" });
  const made = await createDocument(api, "board", drawable);
  expect([made.kind, sent, here.made]).toEqual(["board", [made.name], [["board", null, made.name]]]);
  await importDocument(api, new File(["one\ntwo"], "list.txt"), drawable, []);
  expect(here.made[1]).toEqual(["plain", "list", sent[1]]);
  here.stores = false;
  await expect(createDocument(api, "text", drawable)).rejects.toBeInstanceOf(ApiError);
});

test("what this device cannot draw is not made on it", async () => {
  const { api } = scripted({ kind: "unreachable" });
  await expect(createDocument(api, "board", () => Promise.reject(new MissingPart(null)))).rejects.toBeInstanceOf(MissingPart);
  expect(here.made).toEqual([]);
});

test("a server that refuses is left without a document, and so is this device", async () => {
  const { api, sent } = scripted({ kind: "refused", status: 403, code: "forbidden", message: "no" });
  await expect(createDocument(api, "text", drawable)).rejects.toBeInstanceOf(ApiError);
  expect([sent.length, here.made]).toEqual([1, []]);
});

test("what is no text, or too much of it, never reaches the server", async () => {
  const { api, sent } = scripted();
  await expect(importDocument(api, new File([new Uint8Array([0x89, 0x50, 0, 1])], "a.txt"), drawable, [])).rejects.toBeInstanceOf(ImportError);
  await expect(importDocument(api, new File([new Uint8Array(LARGEST_IMPORT + 1)], "a.txt"), drawable, [])).rejects.toMatchObject({ reason: "too-large" });
  await expect(importDocument(api, new File(['{"type":"something else"}'], "a.excalidraw"), drawable, [])).rejects.toMatchObject({ reason: "not-a-drawing" });
  expect(sent).toEqual([]);
});

test("a drawing becomes a board", async () => {
  const { api, doc } = scripted();
  const scene = JSON.stringify({ type: "excalidraw", version: 2, elements: [{ id: "a", type: "rectangle", version: 7, x: 3 }] });
  expect(await importDocument(api, new File([scene], "Plan of the loom.excalidraw"), drawable, [])).toMatchObject({ kind: "board", lostPictures: 0 });
  expect([readKind(doc), readTitle(doc)]).toEqual(["board", "Plan of the loom"]);
  expect(doc.getMap("elements").toJSON()).toMatchObject({ a: { type: "rectangle", x: 3, isDeleted: false } });
});

const bytes = (...values: readonly number[]): ArrayBuffer => new Uint8Array(values).buffer;
const utf8 = (text: string): ArrayBuffer => new Uint8Array(new TextEncoder().encode(text)).buffer;

test("text is read in the encodings it comes in", () => {
  expect(readText(utf8("文字 ✍️"))).toBe("文字 ✍️");
  expect(readText(bytes(0xff, 0xfe, 0x87, 0x65, 0x57, 0x5b))).toBe("文字");
  expect(readText(bytes(0xfe, 0xff, 0x65, 0x87, 0x5b, 0x57))).toBe("文字");
  // Big5 is tried where Chinese is read, and nowhere else: there it would be a guess.
  const big5 = bytes(0xa4, 0xe5, 0xa6, 0x72, 0x0d, 0x0a);
  expect(readText(big5, ["en", "zh-TW"])).toBe("文字\r\n");
  expect(() => readText(big5, ["en"])).toThrow(ImportError);
});

test("bytes that are no text in any of them are refused", () => {
  for (const odd of [utf8("a\0b"), bytes(0xff, 0xfe, 0), bytes(0xff, 0xd8, 0xff, 0xe0), bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), bytes(0xa4, 0xe5, 0x01)]) {
    expect(() => readText(odd, ["zh-TW"])).toThrow(ImportError);
  }
});
