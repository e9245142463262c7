// The languages that exist, and which one a browser's wishes lead to.

export const LANGUAGES = ["en", "zh-Hant-TW"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Each language in its own words, as a list of languages should be. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: "English", "zh-Hant-TW": "繁體中文" };

export function isLanguage(value: unknown): value is Language {
  return LANGUAGES.some((language) => language === value);
}

/**
 * How dates and numbers are written: as in the reader's own country, where the browser says which it is, but never in
 * another language or script than the words around them.
 */
export function localeOf(language: string, wishes: readonly string[] = browserWishes()): string {
  const { language: wanted, script } = new Intl.Locale(language).maximize();
  const fits = (wish: string): boolean => {
    try {
      const found = new Intl.Locale(wish).maximize();
      return found.language === wanted && found.script === script;
    } catch {
      return false; // not a language tag
    }
  };
  return wishes.find(fits) ?? language;
}

function browserWishes(): readonly string[] {
  return typeof navigator === "undefined" ? [] : navigator.languages;
}

/** The first wish we can serve. Any Chinese leads to ours: a reader of the other script still reads it better than English. */
export function chooseLanguage(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const primary = wish.toLowerCase().split("-")[0];
    if (primary === "zh") return "zh-Hant-TW";
    if (primary === "en") return "en";
  }
  return "en";
}
