// The editor's state for views: recomputed after each transaction, delivered only when it differs.
import type { Editor } from "@tiptap/core";
import { useRef, useSyncExternalStore } from "react";

/** `read` must return a flat record of plain values. */
export function useEditorState<T extends Readonly<Record<string, string | number | boolean | null>>>(
  editor: Editor,
  read: (editor: Editor) => T,
): T {
  const last = useRef<T | null>(null);
  return useSyncExternalStore(
    (listener) => {
      editor.on("transaction", listener);
      editor.on("focus", listener);
      editor.on("blur", listener);
      return () => {
        editor.off("transaction", listener);
        editor.off("focus", listener);
        editor.off("blur", listener);
      };
    },
    () => {
      if (editor.isDestroyed && last.current !== null) return last.current;
      const next = read(editor);
      if (last.current === null || Object.keys(next).some((key) => next[key] !== last.current?.[key])) last.current = next;
      return last.current;
    },
  );
}
