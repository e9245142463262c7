// On a phone the chat is a page of its own: it has the whole screen, what is behind it cannot be reached by accident, and
// the way back that every phone has leads out of it.
import { useCallback, useEffect, useRef, type RefObject } from "react";

/** As in chat.css. */
const NARROW = "(max-width: 40rem)";

/** What marks the step in the browser's history that the chat is. */
const STEP = "weft.chat";

/** Returns how to close it. */
export function usePhonePage(place: RefObject<HTMLElement | null>, onClose: () => void): () => void {
  const release = useRef<() => void>(() => undefined);
  const closed = useRef(onClose);
  useEffect(() => {
    closed.current = onClose;
  });
  const close = useCallback(() => {
    // First, so that the focus has somewhere to go.
    release.current();
    closed.current();
  }, []);
  useEffect(() => {
    const narrow = window.matchMedia(NARROW);
    const behind = [...(place.current?.parentElement?.children ?? [])].filter((element): element is HTMLElement => element instanceof HTMLElement && element !== place.current);
    const follow = (): void => {
      for (const element of behind) element.inert = narrow.matches;
    };
    follow();
    narrow.addEventListener("change", follow);
    if (narrow.matches && history.state !== STEP) history.pushState(STEP, "");
    window.addEventListener("popstate", close);
    release.current = () => {
      for (const element of behind) element.inert = false;
    };
    return () => {
      release.current();
      narrow.removeEventListener("change", follow);
      window.removeEventListener("popstate", close);
      if (history.state === STEP) history.back();
    };
  }, [place, close]);
  return close;
}
