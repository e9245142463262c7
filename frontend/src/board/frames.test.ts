import { expect, test } from "vitest";
import { placedIn } from "./frames";
import { shape } from "./fake-view";

type Shape = Parameters<typeof placedIn>[1];
const made = (id: string, fields: Readonly<Record<string, unknown>> = {}): Shape => ({ ...shape(id, "frame"), x: 0, y: 0, width: 400, height: 300, index: `a${id}`, ...fields }) as unknown as Shape;
const note = made("note", { type: "rectangle" });
const placed = (elements: readonly Shape[], x: number, y: number): readonly unknown[] => placedIn(elements, note, x, y).map(({ id, frameId, index }) => [id, frameId, index]);

test("a shape put into a frame belongs to it, and lies right below it", () => {
  expect(placed([made("1"), made("2", { x: 1_000 })], 200, 150)).toEqual([["note", "1", null], ["1", null, "a1"], ["2", null, "a2"]]);
});

test("of frames that overlap, the topmost one takes it", () => {
  expect(placed([made("1"), made("2"), made("3", { type: "rectangle" })], 200, 150)).toEqual([["1", null, "a1"], ["note", "2", null], ["2", null, "a2"], ["3", null, "a3"]]);
});

test("outside of all frames, and in one that was deleted, it lies on top of all and belongs to nothing", () => {
  expect(placed([made("1")], 401, 150).at(-1)).toEqual(["note", null, "anote"]);
  expect(placed([made("1", { isDeleted: true })], 200, 150).at(-1)).toEqual(["note", null, "anote"]);
});
