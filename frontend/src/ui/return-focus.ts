// A dialog that no button opened gives the focus back to where it was before.
import { useState } from "react";

/** For `onCloseAutoFocus` of a dialog that is mounted while open. `keep` may say that the focus has gone on by itself. */
export function useReturnFocus(keep?: () => boolean): (event: Event) => void {
  const [before] = useState(() => document.activeElement);
  return (event) => {
    event.preventDefault();
    if (keep?.() !== true && before instanceof HTMLElement && before.isConnected) before.focus();
  };
}
