// What stands at the right of a document: one thing at a time, because two would leave no room for the document.
import { useCallback, useEffect } from "react";
import { createStore, useStore } from "./store";

export type RailPart = "chat" | "outline";

const rail = createStore<RailPart | null>(null);

/** Whether this part is shown, and a way to change that. Whoever uses it takes the part away when it goes. */
export function useRail(part: RailPart): [boolean, (open: boolean | ((open: boolean) => boolean)) => void] {
  const open = useStore(rail) === part;
  const show = useCallback(
    (next: boolean | ((open: boolean) => boolean)) => {
      const now = rail.get() === part;
      const then = typeof next === "function" ? next(now) : next;
      if (then !== now) rail.set(then ? part : null);
    },
    [part],
  );
  useEffect(() => () => show(false), [show]);
  return [open, show];
}
