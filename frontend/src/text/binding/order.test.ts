import { expect, test } from "vitest";
import { seeded } from "../../testing/random";
import { between } from "./order";

test("random: between any two there is room, and a list only added to stays short", () => {
  const random = seeded(7);
  let list: string[] = [];
  for (let step = 0; step < 5000; step++) {
    const at = [list.length, 0, random(list.length + 1)][step % 3] ?? 0;
    const [low, high] = [list[at - 1] ?? null, list[at] ?? null];
    const made = between(low, high);
    expect(low === null || low < made).toBe(true);
    expect(high === null || made < high).toBe(true);
    list.splice(at, 0, made);
    if (list.length > 300) list = list.slice(0, 1);
  }
  let last: string | null = null;
  for (let row = 0; row < 300; row++) last = between(last, null);
  expect(last?.length).toBeLessThan(15);
});
