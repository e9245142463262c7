// Who is inside, for views; and who came and went, for the ears.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Awareness } from "y-protocols/awareness";
import { announce } from "../ui/live-region";
import { useSettings } from "../ui/settings";
import { COLOURS } from "../ui/colours";
import { colourAmong, coloursOf, takenHere, worn } from "./worn";
import { movement, peopleIn, type Announcement, type Person } from "./people";

/** Comings and goings within this time become one sentence, in ms. */
const COLLECT = 5_000;

export function usePeople(awareness: Awareness): readonly Person[] {
  const [people, setPeople] = useState<readonly Person[]>([]);
  useEffect(() => {
    const read = (): void => {
      const next = peopleIn(awareness.getStates(), awareness.clientID);
      // Carets move all the time; the list of people rarely does.
      setPeople((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
    };
    read();
    awareness.on("change", read);
    return () => awareness.off("change", read);
  }, [awareness]);
  return people;
}

/** Keeps our own announcement in step with the settings, and in a colour that nobody else inside has. */
export function useAnnouncement(awareness: Awareness): void {
  const { person, name, colour } = useSettings();
  const [since] = useState(() => Date.now());
  useEffect(() => {
    const client = awareness.clientID;
    let wears = colour ?? COLOURS[0];
    let looking = false;
    const announceIn = (next: string): void => {
      wears = next;
      worn.set(next);
      const announcement: Announcement = { id: person, name: name ?? "", color: next, since };
      awareness.setLocalStateField("user", announcement);
    };
    const look = (): void => {
      takenHere.set([...coloursOf(awareness.getStates(), { client, person })].sort().join());
      const next = colourAmong(awareness.getStates(), { client, person, since, colour: wears });
      if (next !== null && next !== wears) announceIn(next);
      if (next !== null || looking) return;
      looking = true;
      import("../ui/more-colours").then(
        ({ anotherColour }) => {
          looking = false;
          if (!over) announceIn(anotherColour(coloursOf(awareness.getStates(), { client, person })));
        },
        () => (looking = false), // one colour twice until the server is back
      );
    };
    let over = false;
    announceIn(colourAmong(awareness.getStates(), { client, person, since, colour: wears }) ?? wears);
    look();
    awareness.on("change", look);
    return () => {
      over = true;
      awareness.off("change", look);
      worn.set(null);
      takenHere.set("");
    };
  }, [awareness, person, name, colour, since]);
}

/** Ctrl or ⌘ with Alt and P: says who is here, to whoever cannot see the avatars. */
export function useRollCall(people: readonly Person[]): void {
  const { t, i18n } = useTranslation();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || !event.altKey || event.code !== "KeyP" || event.isComposing) return;
      event.preventDefault();
      const names = people.filter(({ self }) => !self).map(({ name }) => name || t("people.nameless"));
      announce(names.length === 0 ? t("people.alone") : t("people.present", { names: new Intl.ListFormat(i18n.language).format(names) }));
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [people, t, i18n.language]);
}

/** Says who joined and left, collected into one sentence. `listening` is false while the connection itself is the news. */
export function useArrivals(people: readonly Person[], listening: boolean): void {
  const { t, i18n } = useTranslation();
  const [settled, setSettled] = useState<readonly Person[] | null>(null);

  useEffect(() => {
    if (!listening) {
      setSettled(null);
      return;
    }
    const timer = setTimeout(() => {
      if (settled !== null) {
        const { joined, left } = movement(settled, people);
        const list = new Intl.ListFormat(i18n.language);
        const words = (names: readonly string[]): string => list.format(names.map((name) => name || t("people.nameless")));
        const sentences = [
          ...(joined.length > 0 ? [t("people.joined", { names: words(joined) })] : []),
          ...(left.length > 0 ? [t("people.left", { names: words(left) })] : []),
        ];
        if (sentences.length > 0) announce(`${sentences.join(". ")}.`);
      }
      setSettled(people);
    }, COLLECT);
    return () => clearTimeout(timer);
  }, [people, listening, settled, t, i18n.language]);
}
