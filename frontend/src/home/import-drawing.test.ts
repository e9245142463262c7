// The pictures of a drawing that is imported: on the server where it takes them, else waiting on this device.
import { expect, test } from "vitest";
import { Doc, applyUpdate } from "yjs";
import { ApiError, type Api, type Problem } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { drawingOf, sendPictures } from "./import-drawing";

const PIXEL = "iVBORw0KGgo=";
const FILES = { one: `data:image/png;base64,${PIXEL}`, two: `data:image/png;base64,${PIXEL}`, bad: "https://elsewhere.example/x.png", gone: `data:image/png;base64,${PIXEL}` };
const scene = JSON.stringify({
  type: "excalidraw",
  elements: [{ id: "a", type: "image", fileId: "one" }, { id: "b", type: "image", fileId: "two" }, { id: "c", type: "image", fileId: "bad" }, { id: "d", type: "image", fileId: "gone", isDeleted: true }],
  files: Object.fromEntries(Object.entries(FILES).map(([id, dataURL]) => [id, { id, dataURL }] as const)),
});
const NAME = "n" as DocumentName;

async function sent(answers: Readonly<Record<string, Problem | undefined>>, stores = true): Promise<{ readonly lost: number; readonly waits: string[]; readonly doc: Doc; readonly asked: string[] }> {
  const doc = new Doc();
  const [waits, asked]: [string[], string[]] = [[], []];
  const fails = (what: string): Promise<never> | null => {
    asked.push(what);
    const problem = answers[what];
    return problem ? Promise.reject(new ApiError(problem)) : null;
  };
  const pictures = drawingOf("x.excalidraw", scene)?.pictures ?? [];
  const ids = pictures.map(({ id }) => id);
  const api: Pick<Api, "upload" | "contribute"> = {
    upload: (_, { size, type }) => {
      const id = ids[asked.length] ?? "";
      return fails(id) ?? Promise.resolve({ id, url: `/at/${id}`, type, bytes: size });
    },
    contribute: (_, update) => fails("addresses") ?? Promise.resolve(applyUpdate(doc, update)),
  };
  const store = { keep: (_: string, { key }: { readonly key: string }) => (stores ? Promise.resolve(waits.push(key) > 0) : Promise.reject(new Error("no store"))) };
  return { lost: await sendPictures(api, NAME, pictures, store), waits, doc, asked };
}

test("those that its shapes name, and that it holds, are taken", () => {
  const pictures = drawingOf("x.excalidraw", scene)?.pictures ?? [];
  expect(pictures.map(({ id, type, bytes }) => [id, type, bytes.length])).toEqual([["one", "image/png", 8], ["two", "image/png", 8]]);
});

test("the document says where they are", async () => {
  const { doc, waits, lost } = await sent({});
  expect([doc.getMap("files").toJSON(), waits, lost]).toEqual([{ one: "/at/one", two: "/at/two" }, [], 0]);
});

test("what a server refuses waits here, what comes after it is sent; a line that is dead is tried once", async () => {
  const refused = await sent({ one: { kind: "refused", status: 413, code: "too_large", message: "" } });
  expect([refused.doc.getMap("files").toJSON(), refused.waits]).toEqual([{ two: "/at/two" }, ["one"]]);
  const dead = await sent({ one: { kind: "unreachable" } });
  expect([dead.asked, dead.waits]).toEqual([["one"], ["one", "two"]]);
  const late = await sent({ addresses: { kind: "unreachable" } });
  expect(late.waits).toEqual(["one", "two"]);
});

test("what neither takes is counted", async () => {
  expect((await sent({ one: { kind: "unreachable" } }, false)).lost).toBe(2);
});
