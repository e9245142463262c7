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

test.each([
  [0, "0 kB"],
  [384, "0.4 kB"],
  [999, "1 kB"],
  [1_540, "1.5 kB"],
  [12_345, "12 kB"],
  [999_999, "1,000 kB"],
  [3_400_000, "3.4 MB"],
  [7e12, "7,000 GB"],
])("%d bytes are %s", (bytes, words) => expect(size(bytes, "en")).toBe(words));

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
