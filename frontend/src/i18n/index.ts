// Words. One JSON file per language, fetched only when it is spoken; the English one is also the type of the keys.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import type en from "./en.json";
import { chooseLanguage, type Language } from "./languages";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "words";
    resources: { words: typeof en };
  }
}

const files: Readonly<Record<Language, () => Promise<{ default: object }>>> = {
  en: () => import("./en.json"),
  "zh-Hant-TW": () => import("./zh-Hant-TW.json"),
};

/** What the person chose; `null` follows the browser. */
export interface Chosen {
  readonly get: () => { readonly language: Language | null };
  readonly subscribe: (listener: () => void) => unknown;
}

/** Resolves when the first language is loaded; afterwards the language follows what is chosen. */
export async function startWords(chosen: Chosen): Promise<void> {
  const wanted = (): Language => chosen.get().language ?? chooseLanguage(navigator.languages);
  await i18next.use(initReactI18next).init({
    resources: {},
    ns: ["words"],
    defaultNS: "words",
    fallbackLng: false,
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  await speak(wanted());
  chosen.subscribe(() => {
    if (i18next.language !== wanted()) void speak(wanted());
  });
}

async function speak(language: Language): Promise<void> {
  const words = await files[language]();
  i18next.addResourceBundle(language, "words", words.default, true, true);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
