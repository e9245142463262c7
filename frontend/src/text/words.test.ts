import { expect, test } from "vitest";
import { countWords } from "./words";

test("words", () => {
  expect(countWords("", "en")).toBe(0);
  expect(countWords("  one, two – three!\nfour ", "en")).toBe(4);
  expect(countWords("don't stop", "en")).toBe(2);
  expect(countWords("我們一起寫文件。", "zh-Hant-TW")).toBeGreaterThan(2);
});
