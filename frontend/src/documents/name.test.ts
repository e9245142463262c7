import { expect, test } from "vitest";
import { documentPath, nameFromPath, parseName } from "./name";

const odd = ["plain", "with space", "a/b/c", "a/../b", "what?#now", "50%", "%2F", "文件 ✍️", "x'()*!~"];

test.each(odd)("%j survives the way through the address bar", (text) => {
  const name = parseName(text);
  expect(name).toBe(text);
  if (name === null) return;
  const url = new URL(documentPath(name), "http://host");
  expect(nameFromPath(url.pathname)).toBe(text);
  expect(url.search + url.hash).toBe("");
});

test("slashes may stand as they are in an address", () => {
  expect(nameFromPath("/d/a/b")).toBe("a/b");
  expect(nameFromPath("/d/a%2Fb")).toBe("a/b");
});

test("names the server would refuse are refused here", () => {
  for (const bad of ["", " ", " a", "a\n", "a\u0000b", "\u200a", "x".repeat(257), "字".repeat(86), "\ud800", ".", ".."]) {
    expect(parseName(bad)).toBeNull();
  }
  expect(parseName("字".repeat(85))).not.toBeNull();
});

test("addresses that name no document", () => {
  for (const path of ["/", "/d/", "/d/%", "/d/%E0%A4%A", "/trash"]) expect(nameFromPath(path)).toBeNull();
});
