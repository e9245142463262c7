// The time of day, for a page that stays open.
import { useEffect, useState } from "react";

/** The present moment, moving on every half minute so that "2 minutes ago" does not stay true for ever. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
