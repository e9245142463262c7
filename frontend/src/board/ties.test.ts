// Who looks different by what, and what becomes of ties that lead nowhere; that two people's boards come to the same is
// the affair of binding.test.ts.
import { expect, test } from "vitest";
import type { Fields } from "./element";
import { openTies } from "./ties";

/** A board by id, each shape noted as it is put in. */
function board(): { readonly put: (id: string, fields: Fields | null) => string[]; readonly seen: (id: string) => { readonly inside: string | null } & Fields } {
  const shapes = new Map<string, Fields>();
  const ties = openTies((id) => shapes.get(id)?.["boundElements"]);
  return {
    put: (id, fields) => {
      if (fields === null) shapes.delete(id);
      else shapes.set(id, fields);
      return [...ties.note(id, fields)].sort();
    },
    seen: (id) => {
      const fields: Record<string, unknown> = { ...shapes.get(id) };
      return { inside: ties.tie(id, fields), ...fields };
    },
  };
}

const box = { type: "rectangle", boundElements: null };
const text = (containerId: string | null, more: Fields = {}): Fields => ({ type: "text", containerId, boundElements: null, ...more });
const arrow = (start: string | null, end: string | null): Fields => ({ type: "arrow", boundElements: null, startBinding: start && { elementId: start }, endBinding: end && { elementId: end } });

test("an arrow names both its ends, and what it was bound to before", () => {
  const { put } = board();
  for (const id of ["a", "b", "c"]) put(id, box);
  expect(put("arrow", arrow("a", "b"))).toEqual(["a", "b"]);
  expect(put("arrow", arrow("a", "c"))).toEqual(["b", "c"]);
  expect(put("arrow", arrow("a", "c"))).toEqual([]);
  expect(put("arrow", null)).toEqual(["a", "c"]);
});

test("what was bound to a shape before the shape came looks different when it comes, and when it goes", () => {
  const { put, seen } = board();
  put("arrow", arrow("a", null));
  expect(seen("arrow")["startBinding"]).toBeNull();
  expect(put("a", box)).toEqual(["arrow"]);
  expect(seen("arrow")["startBinding"]).toEqual({ elementId: "a" });
  expect(seen("a")["boundElements"]).toEqual([{ id: "arrow", type: "arrow" }]);
  expect(put("a", { ...box, isDeleted: true })).toEqual(["arrow"]);
  expect(seen("arrow")["startBinding"]).toBeNull();
});

test("of two texts in a container the one that it lists is inside, else the first by id; the other stands free", () => {
  const { put, seen } = board();
  put("box", box);
  put("one", text("box"));
  expect(put("two", text("box"))).toEqual(["box", "one"]);
  expect([seen("one").inside, seen("two").inside, seen("two")["containerId"]]).toEqual(["box", null, null]);
  expect(put("box", { ...box, boundElements: [{ id: "two", type: "text" }] })).toEqual(["one", "two"]);
  expect([seen("one").inside, seen("two").inside]).toEqual([null, "box"]);
  expect(seen("box")["boundElements"]).toEqual([{ id: "two", type: "text" }]);
});

test("a text cannot be in what holds none", () => {
  const { put, seen } = board();
  put("line", { type: "line", boundElements: null });
  put("note", text("line"));
  expect(seen("note")).toMatchObject({ inside: null, containerId: null });
});

test("a text is in the frame of its container, whatever it says itself, and looks different when that changes", () => {
  const { put, seen } = board();
  put("frame", { type: "frame", boundElements: null });
  put("box", { ...box, frameId: "frame" });
  put("note", text("box", { frameId: "elsewhere" }));
  expect(seen("note")["frameId"]).toBe("frame");
  expect(put("box", box)).toEqual(["frame", "note"]);
  expect(seen("note")["frameId"]).toBeNull();
  put("box", { ...box, frameId: "frame" });
  expect(put("frame", null)).toEqual(["box", "note"]);
  expect([seen("box")["frameId"], seen("note")["frameId"]]).toEqual([null, null]);
});

test("the list of what is bound is empty where one is stored, and none where none is", () => {
  const { put, seen } = board();
  put("a", { ...box, boundElements: [{ id: "gone", type: "arrow" }] });
  put("b", box);
  expect([seen("a")["boundElements"], seen("b")["boundElements"]]).toEqual([[], null]);
});
