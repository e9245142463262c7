import { expect, test } from "vitest";
import { pieces } from "./links";

const links = (text: string): readonly (string | null)[] => pieces(text).flatMap(({ href }) => (href === null ? [] : [href]));

test("addresses lead where they say, without the sentence around them", () => {
  expect(pieces("see https://example.org/a?b=1#c, or not")).toEqual([
    { text: "see ", href: null },
    { text: "https://example.org/a?b=1#c", href: "https://example.org/a?b=1#c" },
    { text: ", or not", href: null },
  ]);
  expect(links("(https://example.org/a_(b)) and http://localhost:8080!")).toEqual(["https://example.org/a_(b)", "http://localhost:8080/"]);
  expect(links("請看https://example.org/文件。謝謝")).toEqual(["https://example.org/%E6%96%87%E4%BB%B6"]);
  expect(links("https://example.org\nhttps://example.net")).toHaveLength(2);
});

test("nothing that could run or mislead becomes a link, and no character is lost", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "https://", "https://bank.example@evil.example/", "//example.org", "<a href=x>", "xhttps://example.org"]) {
    expect(links(text), text).toEqual([]);
  }
  for (const text of ["", "a", "https://example.org", " https://example.org. ", 'x "https://example.org" y']) {
    expect(pieces(text).map((piece) => piece.text).join("")).toBe(text);
  }
});
