// A list is found again as it was left.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Tab } from "./tab";

/** What each list was left at when somebody went on to a document: they come back to it. */
const left = new Map<Tab, { readonly query: string; readonly scroll: number }>();

/** The words that are searched for, and the place in the list, both as they were left. */
export function useLeftAt(tab: Tab): [string, (query: string) => void] {
  const [before] = useState(() => left.get(tab) ?? { query: "", scroll: 0 });
  const [query, setQuery] = useState(before.query);
  const now = useRef(before);
  useLayoutEffect(() => {
    // Answers with a promise in new browsers, which is no end of an effect.
    void window.scrollTo(0, before.scroll);
  }, [before]);
  useEffect(() => {
    now.current = { ...now.current, query };
    left.set(tab, now.current);
  }, [tab, query]);
  useEffect(() => {
    const look = (): void => {
      now.current = { ...now.current, scroll: window.scrollY };
      left.set(tab, now.current);
    };
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, [tab]);
  return [query, setQuery];
}
