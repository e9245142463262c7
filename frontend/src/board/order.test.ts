import { expect, test } from "vitest";
import { agreedOn, type Base } from "./agreed";
import type { BoardElement } from "./element";
import { byOrder, orderRepairs } from "./order";

const shape = (id: string, index: string | null): BoardElement => ({ id, type: "rectangle", version: 1, versionNonce: 1, isDeleted: false, index });

/** By id: the `index` that the view shows, and the document's. */
function pile(shapes: Readonly<Record<string, readonly [string | null, unknown]>>): { readonly scene: readonly BoardElement[]; readonly bases: Map<string, Base> } {
  const scene = Object.entries(shapes).map(([id, [shown]]) => shape(id, shown));
  return { scene, bases: new Map(scene.map((element) => [element.id, agreedOn(element, shapes[element.id]?.[1])])) };
}

test("the document says how shapes lie, whatever the view made of equal places; of equal ones the id does", () => {
  const { scene, bases } = pile({ b: ["a2", "a1"], a: ["a3", "a1"], c: ["a1", "a0"], none: ["a4", null] });
  expect(scene.toSorted(byOrder(bases)).map(({ id }) => id)).toEqual(["none", "c", "a", "b"]);
});

test("a shape that was moved here lies where it was put", () => {
  const { scene, bases } = pile({ a: ["a1", "a1"], b: ["a2", "a2"] });
  const moved = scene.map((element) => (element.id === "a" ? { ...element, index: "a9" } : element));
  expect(moved.toSorted(byOrder(bases)).map(({ id }) => id)).toEqual(["b", "a"]);
});

test("places that the view has mended are the document's too once another was counted out between them", () => {
  const { scene, bases } = pile({ a: ["a1", "a1"], b: ["a2", "a1"], c: ["a4", "a1"] });
  const fresh = shape("new", "a3");
  const now = [...scene.slice(0, 2), fresh, ...scene.slice(2)];
  expect(orderRepairs(now, new Set(["new"]), bases).map(({ id, index }) => [id, index])).toEqual([["b", "a2"], ["c", "a4"]]);
  // Where it comes out the same by the document's, nothing is written; nor where nothing is put anywhere.
  expect(orderRepairs([...scene, shape("top", "a5")], new Set(["top"]), bases)).toEqual([]);
  expect(orderRepairs(now, new Set(), bases)).toEqual([]);
});
