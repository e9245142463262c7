import { expect, test } from "vitest";
import { LONGEST_WAIT, SHORTEST_WAIT, waitAfter } from "./backoff";

test("waits double up to their bound, and two who wait do not wake together", () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => waitAfter(failures, () => 1));
  expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect(waitAfter(1, () => 0)).toBe(SHORTEST_WAIT / 2);
  expect(waitAfter(9, () => 0)).toBe(LONGEST_WAIT / 2);
});
