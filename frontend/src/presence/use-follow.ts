// Following somebody: what they work on stays in sight until we ourselves do something, or they leave.
import { useCallback, useEffect, useState } from "react";
import type { Awareness } from "y-protocols/awareness";

/** Their caret may move with every key; the view need not move more often than this, in ms. */
const PACE = 150;

export interface Following {
  readonly client: number | null;
  readonly follow: (client: number) => void;
  readonly stop: () => void;
}

export function useFollow(awareness: Awareness, goTo: ((client: number) => void) | undefined): Following {
  const [client, setClient] = useState<number | null>(null);
  const stop = useCallback(() => setClient(null), []);

  useEffect(() => {
    if (client === null || goTo === undefined) return;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const go = (): void => {
      timer = null;
      goTo(client);
    };
    const onChange = ({ updated, removed }: { readonly updated: readonly number[]; readonly removed: readonly number[] }): void => {
      if (removed.includes(client)) setClient(null);
      else if (updated.includes(client)) timer ??= setTimeout(go, PACE);
    };
    // Whoever scrolls, presses or writes goes their own way again.
    const own = (event: Event): void => {
      if (!(event.target instanceof Element && event.target.closest(".following, .menu, .palette"))) setClient(null);
    };
    go();
    awareness.on("change", onChange);
    const acts = ["wheel", "touchmove", "pointerdown", "keydown"] as const;
    for (const act of acts) document.addEventListener(act, own, { passive: true, capture: true });
    return () => {
      if (timer !== null) clearTimeout(timer);
      awareness.off("change", onChange);
      for (const act of acts) document.removeEventListener(act, own, { capture: true });
    };
  }, [awareness, client, goTo]);

  return { client, follow: setClient, stop };
}
