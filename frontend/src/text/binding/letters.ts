// A stretch of a sequence as a string, one code unit for each place: enough to tell whether two read the same.
import { type Line, runLength } from "./sequence";

export const BEGIN = "\ufdd0";
export const OBJECT = "\ufffc";

export function lettersOf(lines: readonly Line[], from: number, to: number): string {
  let all = "";
  let at = 0;
  const add = (part: string): void => {
    if (at < to && at + part.length > from) all += part.slice(Math.max(from - at, 0), to - at);
    at += part.length;
  };
  for (const line of lines) {
    if (at >= to) break;
    if (at + line.length <= from) {
      at += line.length;
      continue;
    }
    if (line.boundary !== null) add(BEGIN);
    for (const run of line.runs) add("text" in run ? run.text : OBJECT.repeat(runLength(run)));
  }
  return all;
}

/** Without where blocks begin at its ends, and how many of them there were before it. */
export function core(letters: string): { readonly letters: string; readonly before: number } {
  let [from, to] = [0, letters.length];
  while (from < to && letters[from] === BEGIN) from += 1;
  while (to > from && letters[to - 1] === BEGIN) to -= 1;
  return { letters: letters.slice(from, to), before: from };
}
