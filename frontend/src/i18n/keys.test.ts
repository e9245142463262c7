// Both languages say everything, with the same blanks to fill in, and nothing is left in English by accident.
import { expect, test } from "vitest";
import en from "./en.json";
import { chooseLanguage, localeOf } from "./languages";
import zh from "./zh-Hant-TW.json";

type Words = ReadonlyMap<string, string>;

function flat(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) => flat(inner, path ? `${path}.${key}` : key));
}

/** Plural forms differ by language: `_one` and `_other` in English are `_other` alone in Chinese. */
function base(words: Words): Set<string> {
  return new Set([...words.keys()].map((key) => key.replace(/_(one|other)$/, "")));
}

const english: Words = new Map(flat(en));
const chinese: Words = new Map(flat(zh));

test("the same keys", () => {
  expect([...base(chinese)].sort()).toEqual([...base(english)].sort());
});

test("every plural has the forms its language needs", () => {
  for (const [words, tag] of [[english, "en"], [chinese, "zh-Hant-TW"]] as const) {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    for (const key of words.keys()) {
      if (!/_(one|other)$/.test(key)) continue;
      for (const form of forms) expect(words.has(key.replace(/_(one|other)$/, `_${form}`)), `${tag} ${key}`).toBe(true);
    }
  }
});

test("the same blanks", () => {
  const blanks = (text: string): string[] => [...text.matchAll(/{{(\w+)/g)].map((match) => match[1] ?? "").sort();
  for (const [key, text] of english) {
    const theirs = chinese.get(key) ?? chinese.get(key.replace(/_one$/, "_other"));
    expect(blanks(theirs ?? ""), key).toEqual(blanks(text));
  }
});

test("nothing is empty, and Chinese is Chinese", () => {
  for (const [key, text] of [...english, ...chinese]) expect(text.trim(), key).not.toBe("");
  for (const [key, text] of chinese) expect(text, key).toMatch(/\p{Script=Han}|^Weft$/u);
});

test("the language follows the browser's wishes", () => {
  expect(chooseLanguage(["fr", "zh-TW", "en"])).toBe("zh-Hant-TW");
  expect(chooseLanguage(["en-GB", "zh"])).toBe("en");
  expect(chooseLanguage(["fr"])).toBe("en");
  expect(chooseLanguage([])).toBe("en");
});

test("dates are written as in the reader's country, in the language of the words", () => {
  expect(localeOf("en", ["zh-TW", "en-GB", "en-US"])).toBe("en-GB");
  expect(localeOf("en", ["zh-TW"])).toBe("en");
  expect(localeOf("zh-Hant-TW", ["zh-CN", "zh-HK"])).toBe("zh-HK");
  expect(localeOf("zh-Hant-TW", ["zh-CN", "not a tag"])).toBe("zh-Hant-TW");
});
