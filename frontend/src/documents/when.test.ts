import { expect, test } from "vitest";
import { partOfDay, relativeTime, size } from "./when";

const NOW = new Date(2026, 10, 21, 12).getTime();
const ago = (ms: number): string | null => relativeTime(NOW - ms, NOW, "en");
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

test("times get coarser as they go by", () => {
  expect(ago(0)).toBeNull();
  expect(ago(-5_000)).toBeNull();
  expect(ago(MINUTE)).toBe("1 minute ago");
  expect(ago(59 * MINUTE)).toBe("59 minutes ago");
  expect(ago(HOUR)).toBe("1 hour ago");
  expect(ago(DAY)).toBe("yesterday");
  expect(ago(6 * DAY)).toBe("6 days ago");
  expect(ago(8 * DAY)).toBe("November 13");
  expect(ago(400 * DAY)).toBe("October 17, 2025");
  expect(relativeTime(NOW - 3 * MINUTE, NOW, "zh-Hant-TW")).toBe("3 分鐘前");
});

test("sizes", () => {
  expect(size(0, "en")).toBe("0B");
  expect(size(999, "en")).toBe("999B");
  expect(size(1_000, "en")).toBe("1 kB");
  expect(size(1_540, "en")).toBe("1.5 kB");
  expect(size(12_345, "en")).toBe("12 kB");
  expect(size(3_400_000, "en")).toBe("3.4 MB");
});

test("parts of the day", () => {
  expect([4, 5, 11, 12, 17, 18, 23].map(partOfDay)).toEqual([
    "evening",
    "morning",
    "morning",
    "afternoon",
    "afternoon",
    "evening",
    "evening",
  ]);
});
