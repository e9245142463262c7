import { useCallback, useSyncExternalStore } from "react";
import type { Doc } from "yjs";
import { type OldText, oldTextIn, onOldText } from "./old-text";

/** Whether a document is, for now, a text of an earlier version. */
export function useOldText(doc: Doc): OldText {
  const subscribe = useCallback((listener: () => void) => onOldText(doc, listener), [doc]);
  return useSyncExternalStore(subscribe, () => oldTextIn(doc));
}
