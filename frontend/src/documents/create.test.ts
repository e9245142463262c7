// New documents against a scripted server: what is sent, in which order, and what is refused before anything is.
import { expect, test, vi } from "vitest";
import { Doc, applyUpdate } from "yjs";
import { ApiError, type Api, type DocumentSummary } from "./api";
import { type Beginning, ImportError, LARGEST_IMPORT, createDocument, importDocument, readText } from "./create";
import { readKind } from "./kind";
import type { DocumentName } from "./name";

function scripted(): { readonly api: Api; readonly sent: string[]; readonly doc: Doc } {
  const sent: string[] = [];
  const doc = new Doc();
  const summary: DocumentSummary = { name: "n" as DocumentName, title: null, kind: null, bytes: 0, created: 0, modified: 0, state: "live", editors: 0, people: [] };
  const no = (): never => {
    throw new Error("not part of this");
  };
  const api: Api = {
    list: no,
    read: no,
    upload: no,
    moveToTrash: no,
    restore: no,
    deleteForEver: no,
    create: () => {
      sent.push("create");
      return Promise.resolve(summary);
    },
    contribute: (name, update) => {
      sent.push(`update ${name}`);
      applyUpdate(doc, update);
      return Promise.resolve();
    },
  };
  return { api, sent, doc };
}

test("a text needs nothing written into it, another kind says what it is", async () => {
  const text = scripted();
  expect(await createDocument(text.api, "text")).toEqual({ name: "n", kind: "text" });
  expect(text.sent).toEqual(["create"]);

  const plain = scripted();
  await createDocument(plain.api, "plain");
  expect(plain.sent).toEqual(["create", "update n"]);
  expect(readKind(plain.doc)).toBe("plain");
});

test("a name the server gave is kept when it is gone before the kind arrives: no second document comes of it", async () => {
  const { api, sent } = scripted();
  const made: unknown[] = [];
  vi.doMock("./make-here", () => ({ makeHere: ({ kind, title }: Beginning, name: string) => (made.push([kind, title, name]), Promise.resolve(name)) }));
  const broken: Api = { ...api, contribute: () => Promise.reject(new ApiError({ kind: "unreachable" })) };
  expect(await createDocument(broken, "board")).toEqual({ name: "n", kind: "board" });
  expect([sent, made]).toEqual([["create"], [["board", null, "n"]]]);
  const refusing: Api = { ...api, create: () => Promise.reject(new ApiError({ kind: "refused", status: 403, code: "x", message: "no" })) };
  await expect(createDocument(refusing, "text")).rejects.toBeInstanceOf(ApiError);
  expect(made).toHaveLength(1);

  const nobody: Api = { ...api, create: () => Promise.reject(new ApiError({ kind: "unreachable" })) };
  made.length = 0;
  await importDocument(nobody, new File(["one\ntwo"], "list.txt"));
  expect(made).toEqual([["plain", "list", undefined]]);
});

test("what is no text, or too much of it, never reaches the server", async () => {
  const { api, sent } = scripted();
  await expect(importDocument(api, new File([new Uint8Array([0xff, 0xfe, 0])], "a.txt"))).rejects.toBeInstanceOf(ImportError);
  await expect(importDocument(api, new File([new Uint8Array(LARGEST_IMPORT + 1)], "a.txt"))).rejects.toMatchObject({ reason: "too-large" });
  expect(() => readText(new TextEncoder().encode("a\0b").buffer)).toThrow(ImportError);
  expect(readText(new TextEncoder().encode("文字 ✍️").buffer)).toBe("文字 ✍️");
  expect(sent).toEqual([]);
});
