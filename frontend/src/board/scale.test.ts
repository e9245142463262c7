import { expect, test } from "vitest";
import { scaleOf } from "./scale";

test("a picture is sharp, unless no browser could make it", () => {
  expect(scaleOf(1_000, 800)).toBe(2);
  expect(scaleOf(0, 0)).toBe(2);
  for (const [width, height] of [[10_000, 8_000], [40_000, 100], [20_000, 20_000]] as const) {
    const scale = scaleOf(width, height);
    expect(Math.max(width, height) * scale).toBeLessThanOrEqual(16_384);
    expect(width * height * scale ** 2).toBeLessThanOrEqual(2 ** 26 + 1);
    expect(Math.max(width, height) * scale, "no smaller than it must be").toBeGreaterThan(8_000);
  }
});
