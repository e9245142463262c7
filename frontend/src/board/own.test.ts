import { expect, test } from "vitest";
import { agreedOn, type Base } from "./agreed";
import type { BoardElement, Fields } from "./element";
import { isUnready, ownIn, readyOf } from "./own";

const shape = (id: string, fields: Fields = {}): BoardElement => ({ id, type: "rectangle", version: 1, versionNonce: 1, isDeleted: false, ...fields });
const ids = ({ born, changed }: ReturnType<typeof ownIn>) => [born.map(({ id }) => id), changed.map(({ element }) => element.id)];

test("what was made here and what was changed here, but nothing that is in another's hand or was never heard of", () => {
  const known = shape("known");
  const bases = new Map<string, Base>([known, shape("same"), shape("hand")].map((element) => [element.id, { ...agreedOn(element, null), phantom: element.id === "hand" }]));
  const scene = [shape("new"), shape("known", { version: 2 }), shape("same"), shape("hand", { version: 2 }), shape("gone", { isDeleted: true }), shape("odd", { type: "hologram" }), shape("stored")];
  expect(ids(ownIn(scene, bases, (id) => id === "stored"))).toEqual([["new"], ["known"]]);
});

test("a shape that is held back is not written, nor one bound to it before others have heard of it", () => {
  const bound = shape("bound", { boundElements: [{ id: "text", type: "text" }] });
  const own = ownIn([shape("text", { type: "text" }), bound, shape("free")], new Map(), () => false);
  expect(ids(readyOf(own, new Set(["text"]), () => false))).toEqual([["free"], []]);
  expect(ids(readyOf(own, new Set(["text"]), (id) => id === "text"))).toEqual([["bound", "free"], []]);
});

test("a text without a letter and an image without a picture are not ready", () => {
  const shapes = [shape("a", { type: "text", text: "" }), shape("b", { type: "text", text: "x" }), shape("c", { type: "image", fileId: null }), shape("d", { type: "image", fileId: "f" }), shape("e")];
  expect(shapes.filter(isUnready).map(({ id }) => id)).toEqual(["a", "c"]);
});
