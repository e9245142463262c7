// What two strings have in common makes each of them again, and is as much as a plain recursion finds.
import { expect, test } from "vitest";
import { seeded } from "../../testing/random";
import { partsOf } from "./common";

const longest = (one: string, other: string): number => {
  if (one === "" || other === "") return 0;
  if (one[0] === other[0]) return 1 + longest(one.slice(1), other.slice(1));
  return Math.max(longest(one.slice(1), other), longest(one, other.slice(1)));
};

test("random: both strings again, and nothing in common is missed", () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  const random = seeded(seed);
  for (let round = 0; round < 400; round++) {
    const word = (): string => Array.from({ length: random(8) }, () => ["a", "b", "😀"][random(3)]).join("");
    const [old, now] = [word(), word()];
    const parts = partsOf(old, now);
    const said = (kinds: readonly string[]): string => parts.filter(([kind]) => kinds.includes(kind)).map(([, text]) => text).join("");
    const note = `seed ${seed}, round ${round}: ${old} ${now}`;
    expect(said(["keep", "remove"]), note).toBe(old);
    expect(said(["keep", "insert"]), note).toBe(now);
    const plain = (text: string): string => text.replaceAll("😀", "c");
    expect(plain(said(["keep"])).length, note).toBeGreaterThanOrEqual(longest(plain(old), plain(now)));
  }
});
