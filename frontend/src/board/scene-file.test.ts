import { expect, test } from "vitest";
import { Doc, encodeStateAsUpdate } from "yjs";
import { replica } from "./fake-view";
import { hasShapes, sceneFile } from "./scene-file";

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
