// Words. One JSON file per language, fetched only when it is spoken; the English one is also the type of the keys.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { settings } from "../ui/settings";
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

/** Resolves when the first language is loaded; afterwards the language follows the setting. */
export async function startWords(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: {},
    ns: ["words"],
    defaultNS: "words",
    fallbackLng: false,
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  await speak(wanted());
  settings.subscribe(() => {
    if (i18next.language !== wanted()) void speak(wanted());
  });
}

function wanted(): Language {
  return settings.get().language ?? chooseLanguage(navigator.languages);
}

async function speak(language: Language): Promise<void> {
  const words = await files[language]();
  i18next.addResourceBundle(language, "words", words.default, true, true);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
