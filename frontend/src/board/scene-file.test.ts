import { expect, test } from "vitest";
import { Doc, encodeStateAsUpdate } from "yjs";
import { isOrderKey } from "./element";
import { replica } from "./fake-view";
import { hasShapes, readScene, sceneFile } from "./scene-file";

test("a board without its page is a file with its shapes, and stays as it was", () => {
  const { doc, view, binding } = replica(new Doc());
  expect(hasShapes(doc)).toBe(false);
  for (const id of ["a", "gone", "b"]) view.put(id, {});
  binding.changed();
  view.remove("gone");
  binding.changed();
  const before = encodeStateAsUpdate(doc);
  const file = JSON.parse(sceneFile(doc)) as { type: string; elements: { id: string }[] };
  expect([file.type, file.elements.map(({ id }) => id)]).toEqual(["excalidraw", ["a", "b"]]);
  expect(hasShapes(doc)).toBe(true);
  expect(encodeStateAsUpdate(doc)).toEqual(before);
});

test("a file becomes a board: what it says, in its order, without what was deleted", () => {
  const doc = new Doc();
  const elements = [
    { id: "below", type: "rectangle", index: "a1", x: 1, version: 12, versionNonce: 3, updated: 99, groupIds: ["g"] },
    { id: "gone", type: "ellipse", index: "a2", isDeleted: true },
    { id: "above", type: "text", index: "a3", text: "words" },
  ];
  expect(readScene(doc, JSON.stringify({ type: "excalidraw", version: 2, elements, files: {} }))).toEqual([]);
  const shapes = JSON.parse(sceneFile(doc)) as { elements: Record<string, unknown>[] };
  expect(shapes.elements.map(({ id, index, x, text, groupIds }) => ({ id, index, x, text, groupIds }))).toMatchObject([
    { id: "below", index: "a1", x: 1, groupIds: ["g"] },
    { id: "above", index: "a3", text: "words" },
  ]);
  expect(doc.getMap("elements").toJSON()["below"]).not.toHaveProperty("version");
});

test("a file of an old version has the order of its list", () => {
  const doc = new Doc();
  const ids = Array.from({ length: 200 }, (_, at) => `shape ${(at * 37) % 200}`);
  readScene(doc, JSON.stringify({ type: "excalidraw", elements: ids.map((id) => ({ id, type: "ellipse" })) }));
  const shapes = JSON.parse(sceneFile(doc)) as { elements: { id: string; index: string }[] };
  expect(shapes.elements.map(({ id }) => id)).toEqual(ids);
  expect(shapes.elements.every(({ index }) => isOrderKey(index))).toBe(true);
});

test("what is no drawing is none", () => {
  for (const text of ["", "{", "[]", "null", '{"type":"excalidraw"}', '{"type":"other","elements":[]}']) expect(readScene(new Doc(), text)).toBeNull();
  expect(readScene(new Doc(), '{"type":"excalidraw","elements":[7,null,{"id":1}],"files":[1]}')).toEqual([]);
});
