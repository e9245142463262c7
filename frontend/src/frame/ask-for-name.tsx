// Asks who has no name yet for one, above the document.
import { fetched } from "../ui/fetched";
import { useSettings } from "../ui/settings";
import { createStore, useStore } from "../ui/store";

const NameStrip = fetched(() => import("../presence/name-strip").then(({ NameStrip }) => NameStrip));

/** Not again before the next visit, for who has put the question off. */
const nameCanWait = createStore(false);

export function AskForName(): React.JSX.Element | null {
  const { named } = useSettings();
  if (useStore(nameCanWait) || named) return null;
  const later = (): void => nameCanWait.set(true);
  return <NameStrip onLater={later} onMissing={later} fallback={<div className="name-strip" />} />;
}
