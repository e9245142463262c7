// What a person chose on this device: theme, language, their name and colour. Kept in one record of localStorage,
// followed across tabs, and good for the visit even where the browser refuses to store.
import { isLanguage, type Language } from "../i18n/languages";
import { isColour } from "./colours";
import { randomHex } from "./random";
import { createStore, useStore, type Store } from "./store";

export type Theme = "system" | "light" | "dark";

/** Whether the names of the others' carets fade, stay, or are not shown. */
export const CARET_LABELS = ["fade", "always", "never"] as const;
export type CaretLabels = (typeof CARET_LABELS)[number];

export interface Settings {
  readonly theme: Theme;
  /** `null` follows the browser. */
  readonly language: Language | null;
  /** `null` until a name was made up or typed. */
  readonly name: string | null;
  /** Whether the name was chosen rather than made up: a guest is asked once. */
  readonly named: boolean;
  readonly colour: string | null;
  readonly caretLabels: CaretLabels;
  /** Less motion than the system asks for; `false` follows the system. */
  readonly calm: boolean;
  /** Tells two tabs of one person from two people of one name. Made once per browser. */
  readonly person: string;
}

/** Also read by public/theme.js before the first paint. */
const KEY = "weft.settings";

export const settings: Store<Settings> = createStore(load());

export function changeSettings(change: Partial<Settings>): void {
  settings.set({ ...settings.get(), ...change });
}

export function useSettings(): Settings {
  return useStore(settings);
}

/** Starts writing changes down, following other tabs, and dressing the page. Call once. */
export function startSettings(): void {
  dress(settings.get());
  save(settings.get());
  settings.subscribe(() => {
    save(settings.get());
    dress(settings.get());
  });
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) settings.set(load());
  });
}

/** Reads any stored value, whoever wrote it: what is missing or wrong becomes the default. */
export function parseSettings(text: string | null): Settings {
  let stored: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value === "object" && value !== null) stored = value as Record<string, unknown>;
  } catch {
    // Not ours or half written: start afresh.
  }
  const { theme, language, name, named, colour, person, caretLabels, calm } = stored;
  const known = typeof name === "string" && name.trim() !== "" ? name : null;
  return {
    theme: theme === "light" || theme === "dark" ? theme : "system",
    language: isLanguage(language) ? language : null,
    name: known,
    named: known !== null && named !== false,
    colour: isColour(colour) ? colour : null,
    caretLabels: CARET_LABELS.find((choice) => choice === caretLabels) ?? "fade",
    calm: calm === true,
    person: typeof person === "string" && person !== "" ? person : randomHex(12),
  };
}

function load(): Settings {
  try {
    return parseSettings(globalThis.localStorage.getItem(KEY));
  } catch {
    return parseSettings(null);
  }
}

function save(value: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden; the choice holds for this visit.
  }
}

/** Also in index.html, for the first paint. */
const PAPER = { light: "#fbfaf8", dark: "#17181b" } as const;

function dress({ theme, caretLabels, calm }: Settings): void {
  const root = document.documentElement;
  root.dataset["carets"] = caretLabels;
  root.toggleAttribute("data-calm", calm);
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  // What the browser paints around the page follows the choice too, not only the system.
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    meta.content = PAPER[theme !== "system" ? theme : meta.media.includes("dark") ? "dark" : "light"];
  }
}
