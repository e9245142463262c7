// The languages that exist, and which one a browser's wishes lead to.

export const LANGUAGES = ["en", "zh-Hant-TW"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Each language in its own words, as a list of languages should be. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: "English", "zh-Hant-TW": "繁體中文" };

export function isLanguage(value: unknown): value is Language {
  return LANGUAGES.some((language) => language === value);
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
