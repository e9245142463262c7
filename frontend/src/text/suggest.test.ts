// Where a sign calls a menu, and where it is part of a word.
import { expect, test } from "vitest";
import { textSchema } from "./blocks";
import { calledAt } from "./suggest";

/** What is looked for with the caret at the end of `words`; `null` if no menu is called. */
function query(words: string, char: "/" | "@", ...more: { type: string }[]): string | null {
  const schema = textSchema();
  const doc = schema.nodeFromJSON({ type: "doc", content: [{ type: "paragraph", content: [...more, ...(words === "" ? [] : [{ type: "text", text: words }])] }] });
  const called = calledAt(doc.resolve(doc.content.size - 1), { char, spaces: char === "@" });
  if (called === null) return null;
  expect(doc.textBetween(called.range.from, called.range.to)).toBe(called.text);
  return called.query;
}

test("a sign calls its menu at the start, behind a blank or a bracket, and behind a letter of a script without blanks", () => {
  for (const before of ["", "see ", "cc (", "「", "請", "請通知", "、", "ทำ", "a\u00a0"]) {
    expect(query(`${before}@`, "@"), before).toBe("");
    expect(query(`${before}@Bo Smi`, "@"), before).toBe("Bo Smi");
    expect(query(`${before}/h2`, "/"), before).toBe("h2");
    expect(query(`${before}／標題`, "/"), before).toBe("標題");
    expect(query(`${before}＠Bo`, "@"), before).toBe("Bo");
  }
  expect(query("/", "/", { type: "hardBreak" })).toBe("");
});

test("it calls none within a word, an address, a path or a tag", () => {
  for (const words of ["und/", "и/", "1/", "https:/", "https://", "./", "~a/", "</", "é/", "a/b/", "//"]) expect(query(words, "/"), words).toBeNull();
  for (const words of ["ann@", "ann.lee@ex"]) expect(query(words, "@"), words).toBeNull();
  expect(query("/h2 and on", "/")).toBeNull();
  expect(query("", "/")).toBeNull();
});

test("an address before it does not hide a later call", () => {
  expect(query("ann@example.org 請@Bo", "@")).toBe("Bo");
  expect(query("（@Ann） @B", "@")).toBe("B");
});
