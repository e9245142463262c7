// Where the keyboard goes when what had it is gone: a dialog closes, a page comes in the place of another. Left alone it
// would be nowhere, and the next Tab would begin at the top of the page.
import { useEffect, useLayoutEffect, useState } from "react";

/** Where somebody was before the layers that are open now: one layer may be opened from another. */
let origin: HTMLElement | null = null;

/** For `onCloseAutoFocus` of a dialog that is mounted while open. `keep` may say that the focus has gone on by itself. */
export function useReturnFocus(keep?: () => boolean): (event: Event) => void {
  const [before] = useState(() => {
    const active = document.activeElement;
    if (!(active instanceof HTMLElement) || active === document.body) origin = null;
    else if (active.closest("[role=dialog], [role=alertdialog]") === null) origin = active;
    return origin;
  });
  return (event) => {
    event.preventDefault();
    if (keep?.() === true) return;
    if (before?.isConnected === true) before.focus();
    else focusPage();
  };
}

/** The page itself takes the keys: Tab goes on from its beginning. */
export function focusPage(): void {
  document.getElementById("content")?.focus({ preventScroll: true });
}

/** Whether nothing that somebody chose has the focus. */
export function isFocusFree(): boolean {
  const active = document.activeElement;
  return active === null || active === document.body || active.id === "content";
}

let moved = false;
if (typeof window !== "undefined") {
  // The first page is the browser's to begin: the skip link comes first there. The router tells of every other.
  for (const event of ["pushState", "replaceState", "popstate"]) window.addEventListener(event, () => (moved = true));
}

/** For pages: one that comes in the place of another takes the focus that went with it. */
export function useArrivalFocus(): void {
  useEffect(() => {
    if (moved && isFocusFree()) focusPage();
  }, []);
}

/** For pages whose rows and buttons go by themselves: the focus does not go with them. */
export function useFocusStays(): void {
  useLayoutEffect(() => {
    let had: Element | null = null;
    const note = ({ target }: FocusEvent): void => {
      had = target instanceof Element ? target : null;
    };
    const page = document.getElementById("content");
    const watch = new MutationObserver(() => {
      if (had === null || had.isConnected) return;
      had = null;
      if (isFocusFree()) focusPage();
    });
    page?.addEventListener("focusin", note);
    if (page !== null) watch.observe(page, { childList: true, subtree: true });
    return () => {
      page?.removeEventListener("focusin", note);
      watch.disconnect();
    };
  }, []);
}
