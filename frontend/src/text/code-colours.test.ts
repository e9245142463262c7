// Every colour of code can be read on what is behind it, in both themes, as WCAG 2 computes contrast. Read from the style
// sheets themselves, so that a colour added there is asked for too.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { contrast } from "../testing/contrast";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const theme = new Map([...read("../ui/theme.css").matchAll(/--([\w-]+): light-dark\((#\w+), (#\w+)\);/g)].map(([, name = "", light = "", dark = ""]) => [name, [light, dark] as const]));

function both(value: string): readonly [string, string] {
  const named = /^var\(--([\w-]+)\)$/.exec(value)?.[1];
  const [, light, dark] = /^light-dark\((#\w{6}), (#\w{6})\)$/.exec(value) ?? [];
  const pair = named !== undefined ? theme.get(named) : light !== undefined && dark !== undefined ? ([light, dark] as const) : undefined;
  if (pair === undefined) throw new Error(`no colour of ours: ${value}`);
  return pair;
}

/** Comfortably more than the 4.5 that is asked for letters of this size: code is small and thin. */
const ENOUGH = 5;

test.each([
  ["a code block", "./text.css", "hljs", "sunken"],
  ["a plain text", "../plain/plain.css", "tok", "paper"],
])("the colours of code in %s", (_where, sheet, prefix, behind) => {
  const rules = [...read(sheet).matchAll(new RegExp(`((?:\\s*\\.${prefix}-[\\w-]+,?)+) \\{\\s*color: ([^;]+);`, "g"))];
  expect(rules.length).toBeGreaterThan(4);
  for (const [, selectors = "", colour = ""] of rules) {
    if (colour === "inherit") continue;
    both(colour).forEach((shown, at) => {
      const back = theme.get(behind)?.[at] ?? "";
      expect(contrast(shown, back), `${selectors.trim()} ${at === 0 ? "light" : "dark"}`).toBeGreaterThanOrEqual(ENOUGH);
    });
  }
});
