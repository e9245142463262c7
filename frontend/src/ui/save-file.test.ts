import { describe, expect, test } from "vitest";
import { safeFileName } from "./save-file";

describe("a name for a file", () => {
  test("has one space where characters stood that a file system refuses, however a browser would tidy it", () => {
    expect(safeFileName("Plans / 2026.png")).toBe("Plans 2026.png");
    expect(safeFileName(" a\\b:*?\"<>|c\t\u0000d  e\u00a0f ")).toBe("a b c d e f");
  });

  test("is never empty", () => {
    for (const nothing of ["", " ", "///", "\n"]) expect(safeFileName(nothing)).toBe("document");
  });
});
