import { expect, test } from "vitest";
import { centredAt, withNewIds } from "./copies";
import type { BoardElement } from "./element";
import { shape } from "./fake-view";

const element = (id: string, type: string, fields: Readonly<Record<string, unknown>> = {}): BoardElement =>
  ({ ...shape(id, type), versionNonce: 1, ...fields }) as unknown as BoardElement;

test("copies are other shapes with the same ties among them", () => {
  let count = 0;
  const copies = withNewIds(
    [
      element("box", "rectangle", { groupIds: ["g"], frameId: "frame", boundElements: [{ id: "label", type: "text" }, { id: "arrow", type: "arrow" }, { id: "elsewhere", type: "arrow" }] }),
      element("label", "text", { containerId: "box", groupIds: ["g"] }),
      element("arrow", "arrow", { startBinding: { elementId: "box", focus: 0, gap: 1 }, endBinding: { elementId: "elsewhere", focus: 0, gap: 1 } }),
      element("frame", "frame"),
    ],
    () => `new ${(count += 1)}`,
  );
  const [box, label, arrow, frame] = copies;
  expect(new Set(copies.map(({ id }) => id)).size).toBe(4);
  expect(copies.every(({ id, index }) => id.startsWith("new ") && index === null)).toBe(true);
  expect(box).toMatchObject({ frameId: frame?.id, boundElements: [{ id: label?.id, type: "text" }, { id: arrow?.id, type: "arrow" }] });
  expect(label).toMatchObject({ containerId: box?.id, groupIds: box?.["groupIds"] });
  expect(arrow).toMatchObject({ startBinding: { elementId: box?.id }, endBinding: null });
  expect(box?.["groupIds"]).not.toEqual(["g"]);
});

test("copies are put where one looks", () => {
  const moved = centredAt([element("a", "rectangle", { x: 0, y: 0 }), element("b", "rectangle", { x: 100, y: 50 })], [0, 0, 200, 110], 1_000, 1_000);
  expect(moved.map(({ x, y }) => [x, y])).toEqual([[900, 945], [1_000, 995]]);
});
