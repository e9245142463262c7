// A name for somebody who has not given one: friendly, in their language, and never mistaken for a real one.
import i18next from "i18next";
import { changeSettings, settings } from "../ui/settings";
import { randomColour } from "../ui/colours";

export function suggestName(random: () => number = Math.random): string {
  const pick = (list: string): string => {
    const words = list.split(",");
    return words[Math.floor(random() * words.length)]?.trim() ?? "";
  };
  return i18next.t("names.whole", { first: pick(i18next.t("names.first")), second: pick(i18next.t("names.second")) });
}

/** Gives the person a name and a colour if they have none. Needs the words to be loaded. */
export function ensurePerson(): void {
  const { name, colour } = settings.get();
  if (name === null || colour === null) {
    changeSettings({ ...(name === null ? { name: suggestName(), named: false } : {}), colour: colour ?? randomColour() });
  }
}
