import { expect, test } from "vitest";
import { callAt, called, calls, matching } from "./mention";
import { passages, withQuote } from "./quote";

test("a name is called at the caret, behind a blank, a bracket or a Chinese sign, and not inside a word or an address", () => {
  const at = (text: string): string | null => callAt(text, text.length)?.query ?? null;
  expect(["@", "hello @Bo", "(@b", "好，@王", "＠王", "see @Ann L"].map(at)).toEqual(["", "Bo", "b", "王", "王", null]);
  expect(["a@b", "https://x.org/@b", "no call", "a.@b"].map(at)).toEqual([null, null, null, null]);
  expect(callAt("hi @Bo and on", 6)).toEqual({ from: 3, query: "Bo" });
});

test("names that begin so come first, each once", () => {
  expect(matching(["Ann Lee", "Bo", "Joann", "Bo", ""], "")).toEqual(["Ann Lee", "Bo", "Joann"]);
  expect(matching(["Joann", "Ann Lee", "Bo"], "ann")).toEqual(["Ann Lee", "Joann"]);
  expect(matching(["Bo"], "x")).toEqual([]);
});

test("the name takes the place of what was written of it", () => {
  expect(called("hi @an now", { from: 3, query: "an" }, "Ann Lee")).toEqual({ text: "hi @Ann Lee now", caret: 12 });
  expect(called("@", { from: 0, query: "" }, "王小明")).toEqual({ text: "@王小明 ", caret: 5 });
});

test("who is called is told from who is not", () => {
  expect([calls("look, @Ann Lee!", "Ann Lee"), calls("@ann lee", "Ann Lee"), calls("@王小明請看", "王小明")]).toEqual([true, true, false]);
  expect([calls("@Anna", "Ann"), calls("Ann", "Ann"), calls("@", "")]).toEqual([false, false, false]);
});

test("a quotation is marked line by line, and read back so", () => {
  const draft = withQuote("And this: ", "one\ntwo");
  expect(draft).toBe("And this:\n> one\n> two\n");
  expect(passages(`${draft}well\nthen`)).toEqual([
    { quote: false, text: "And this:" },
    { quote: true, text: "one\ntwo" },
    { quote: false, text: "well\nthen" },
  ]);
  expect(withQuote("", "x")).toBe("> x\n");
  expect(passages("3 > 2")).toEqual([{ quote: false, text: "3 > 2" }]);
});
