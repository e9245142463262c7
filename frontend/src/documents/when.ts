// Times and sizes in words, in the reader's language.
import { localeOf } from "../i18n/languages";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * "3 minutes ago", "yesterday", or the date once a week has passed; `null` means "just now", which has its own word.
 * A moment in the future is one: the server's clock may be ahead of ours.
 */
export function relativeTime(moment: number, now: number, language: string): string | null {
  const age = now - moment;
  if (age < MINUTE) return null;
  const words = new Intl.RelativeTimeFormat(localeOf(language), { numeric: "auto" });
  if (age < HOUR) return words.format(-Math.floor(age / MINUTE), "minute");
  if (age < DAY) return words.format(-Math.floor(age / HOUR), "hour");
  if (age < 7 * DAY) return words.format(-Math.floor(age / DAY), "day");
  const sameYear = new Date(moment).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(localeOf(language), { day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }).format(moment);
}

/** "0.4 kB", "12 kB", "3.4 MB", as the language writes units. Bytes themselves are not shown: no reader counts them. */
export function size(bytes: number, language: string): string {
  const units = ["kilobyte", "megabyte", "gigabyte"] as const;
  const rank = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3) - 1));
  const value = bytes / 1000 ** (rank + 1);
  return new Intl.NumberFormat(localeOf(language), {
    style: "unit",
    unit: units[rank] ?? "kilobyte",
    unitDisplay: "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}

export type PartOfDay = "morning" | "afternoon" | "evening";

export function partOfDay(hour: number): PartOfDay {
  if (hour >= 5 && hour < 12) return "morning";
  return hour >= 12 && hour < 18 ? "afternoon" : "evening";
}
