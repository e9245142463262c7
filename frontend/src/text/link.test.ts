import { expect, test } from "vitest";
import { linkFrom, readable } from "./link";

test.each([
  ["", ""],
  ["  ", ""],
  ["example.org", "https://example.org/"],
  ["example.org:8080/x?y#z", "https://example.org:8080/x?y#z"],
  ["http://example.org", "http://example.org/"],
  ["localhost:8080", "https://localhost:8080/"],
  ["ada@example.org", "mailto:ada@example.org"],
  ["//example.org", "https://example.org/"],
  ["tel:+123", "tel:+123"],
  ["/d/another%20one", "/d/another%20one"],
  ["例え.jp", "https://xn--r8jz45g.jp/"],
])("%j becomes %j", (typed, link) => expect(linkFrom(typed)).toBe(link));

test.each(["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "just words", "word", "file:///etc/passwd"])(
  "%j is refused",
  (typed) => expect(linkFrom(typed)).toBeNull(),
);

test("an address is shown as it is written by people", () => {
  expect(readable(linkFrom("zh.wikipedia.org/wiki/編織") ?? "")).toBe("zh.wikipedia.org/wiki/編織");
  expect(readable("mailto:ann@example.org")).toBe("ann@example.org");
  expect(readable("https://example.org/%E7%")).toBe("example.org/%E7%");
});
