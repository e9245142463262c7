import { expect, test } from "vitest";
import { allTogether, type Change } from "./drag";
import { equal, type Fields } from "./element";

/** A shape that was `from` and is `now` here. */
function change(id: string, from: Fields, now: Fields): Change {
  return { element: { id, ...from, ...now }, from, fields: new Map(Object.entries(now).filter(([field, value]) => !equal(value, from[field]))) };
}

/** What is written for each, where the document has them as `theirs`. */
function written(changes: readonly Change[], theirs: Readonly<Record<string, Fields>>): Record<string, Fields> {
  return Object.fromEntries(allTogether(changes, ({ element: { id }, from }) => (theirs[id] === undefined ? null : { ...from, ...theirs[id] })).map(({ element, fields }) => [element.id, Object.fromEntries(fields)]));
}

const box = { type: "rectangle", x: 0, y: 0, width: 10, height: 10, angle: 0 };

test("a place that both changed moves by the sum of both; one that others left alone is what was made of it here", () => {
  expect(written([change("a", box, { x: 5 })], { a: { x: 100, y: 7 } })).toEqual({ a: { x: 105 } });
  expect(written([change("a", box, { x: 5, strokeColor: "red" })], { a: {} })).toEqual({ a: { x: 5, strokeColor: "red" } });
});

test("turns add up to no more than a full one, and no size becomes nothing", () => {
  expect(written([change("a", box, { angle: 4 })], { a: { angle: 3 } })["a"]?.["angle"]).toBeCloseTo(7 - 2 * Math.PI);
  expect(written([change("a", box, { width: 2 })], { a: { width: 6 } })).toEqual({ a: { width: 2 } });
});

test("the end of a line goes with the shape it is bound to, to where that really ends", () => {
  const line = { type: "arrow", x: 0, y: 0, width: 10, height: 0, points: [[0, 0], [10, 0]], startBinding: null, endBinding: { elementId: "a" } };
  // The line is told of first: what it is bound to is settled before it all the same.
  const both = [change("line", line, { points: [[0, 0], [15, 0]], width: 15 }), change("a", box, { x: 5 })];
  expect(written(both, { line: {}, a: { x: 100 } })).toEqual({ line: { x: 0, y: 0, width: 115, height: 0, points: [[0, 0], [115, 0]] }, a: { x: 105 } });
});

test("a shape that the document has not, and a change of no place, are left as they are", () => {
  expect(written([change("a", box, { x: 5 }), change("b", box, { strokeColor: "red" })], {})).toEqual({ a: { x: 5 }, b: { strokeColor: "red" } });
});
