// What can be done on the page at hand, for the command palette. A page lends its commands while it is shown.
import { useEffect, useRef } from "react";
import type { MenuItem } from "./menu";

type Source = () => readonly MenuItem[];

const sources = new Set<Source>();

/** Everything the pages shown right now can do. */
export function commandsHere(): readonly MenuItem[] {
  return [...sources].flatMap((source) => source());
}

export function useCommands(items: Source): void {
  const latest = useRef(items);
  useEffect(() => {
    latest.current = items;
  });
  useEffect(() => {
    const source: Source = () => latest.current();
    sources.add(source);
    return () => void sources.delete(source);
  }, []);
}
