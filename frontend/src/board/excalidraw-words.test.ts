// Excalidraw falls back to English where a language has no words: with ours added, Chinese has all of them.
import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { withAdded } from "../../scripts/excalidraw";

const LOCALES = fileURLToPath(new URL("../../node_modules/@excalidraw/excalidraw/dist/prod/locales/", import.meta.url));

interface Words {
  readonly [name: string]: string | Words;
}

async function words(language: string, change: (code: string) => string = (code) => code): Promise<Words> {
  const file = (await readdir(LOCALES)).find((name) => name.startsWith(language) && name.endsWith(".js")) ?? "";
  // What it imports is the bundler's runtime, of which words need nothing.
  const code = change(await readFile(LOCALES + file, "utf8")).replaceAll(/import\s*(\{[^}]*\}\s*from\s*)?"\.\.?\/[^"]*";/g, "");
  return (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as Words;
}

const keys = (group: Words, before = ""): readonly string[] =>
  Object.entries(group).flatMap(([name, value]) => (name === "default" ? [] : typeof value === "object" ? keys(value, `${before}${name}.`) : value === "" ? [] : [before + name]));

test("every word of Excalidraw's English is there in Chinese, and copying is not called what duplicating is", async () => {
  const [plain, chinese] = await Promise.all([words("zh-TW"), words("zh-TW", withAdded)]);
  // English is in a piece of its own, which the file of that name hands on.
  const english = await englishWords();
  const known = new Set(keys(chinese));
  expect(english.length).toBeGreaterThan(400);
  expect(english.filter((key) => !known.has(key))).toEqual([]);
  expect(english.some((key) => !new Set(keys(plain)).has(key)), "ours are still needed").toBe(true);
  const labels = chinese["labels"] as Words;
  expect(labels["duplicateSelection"]).not.toBe(labels["copy"]);
});

async function englishWords(): Promise<readonly string[]> {
  const file = (await readdir(LOCALES)).find((name) => name.startsWith("en-") && name.endsWith(".js")) ?? "";
  return keys((await import(/* @vite-ignore */ LOCALES + file)) as Words);
}
