import { expect, test } from "vitest";
import { countWords } from "./words";

test("words", () => {
  expect(countWords("", "en")).toBe(0);
  expect(countWords("  one, two – three!\nfour ", "en")).toBe(4);
  expect(countWords("don't stop", "en")).toBe(2);
  expect(countWords("我們一起寫文件。", "en")).toBeGreaterThan(2);
});

test("in Chinese each character counts, and a foreign word as one", () => {
  expect(countWords("我們一起寫文件。", "zh-Hant-TW")).toBe(7);
  expect(countWords("用 Weft 寫 2 份文件，𠮷ㄅ！", "zh-Hant-TW")).toBe(9);
  expect(countWords("Only English here", "zh-Hant-TW")).toBe(3);
});
