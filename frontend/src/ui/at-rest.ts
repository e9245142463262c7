// What nobody has asked for yet, fetched when the page has nothing better to do: somebody may reach for it when the
// server is gone, and a browser without a worker could not fetch it then.
import { useEffect, useState } from "react";

/** What is asked for comes first; the rest follows when it was there for so long, in ms. */
const FIRST = 1_500;

const parts = new Set<() => void>();
let resting = false;

/** `fetch` is called once the page is at rest, and again with the next page: it does nothing for what is here. */
export function whenAtRest(fetch: () => void): void {
  parts.add(fetch);
  if (resting) whenIdle(fetch);
}

/** Whether the page had what it was opened for (`ready`) for long enough that the rest may follow; then for as long as it is shown. */
export function useAtRest(ready: boolean): boolean {
  const [atRest, setAtRest] = useState(false);
  useEffect(() => {
    if (!ready || atRest) return;
    const timer = setTimeout(() => {
      setAtRest(true);
      resting = true;
      for (const fetch of parts) whenIdle(fetch);
    }, FIRST);
    return () => clearTimeout(timer);
  }, [ready, atRest]);
  return atRest;
}

/** Safari has no idle callback. */
function whenIdle(work: () => void): void {
  if ("requestIdleCallback" in globalThis) requestIdleCallback(work);
  else setTimeout(work);
}
