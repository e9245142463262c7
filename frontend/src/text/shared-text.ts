// The text of the shared data in the editor, and undo that touches nothing but one's own writing.
import { Extension } from "@tiptap/core";
import type { Doc } from "yjs";
import { TableIds } from "./binding/table-ids";
import { bindText, redo, undo } from "./binding/plugin";

declare module "@tiptap/core" {
  interface Commands<ReturnType> {
    sharedText: {
      undo: () => ReturnType;
      redo: () => ReturnType;
    };
  }
}

export function sharedText(doc: Doc): Extension {
  return Extension.create({
    name: "sharedText",
    // Its view is filled before others look at the text.
    priority: 1_000,
    addExtensions: () => [TableIds],
    addProseMirrorPlugins: () => [bindText(doc)],
    addCommands: () => ({
      undo: () => ({ state, dispatch, view, tr }) => {
        tr.setMeta("preventDispatch", true);
        return undo(state, dispatch, view);
      },
      redo: () => ({ state, dispatch, view, tr }) => {
        tr.setMeta("preventDispatch", true);
        return redo(state, dispatch, view);
      },
    }),
    /**
     * The keys are taken also when there is nothing to undo or redo. Otherwise they go on: with Caps Lock, redo without its
     * Shift is undo; and undo is the browser's own, which knows nothing of what others wrote.
     */
    addKeyboardShortcuts() {
      const { editor } = this;
      const back = (): boolean => editor.commands.undo() || true;
      const again = (): boolean => editor.commands.redo() || true;
      return { "Mod-z": back, "Mod-y": again, "Shift-Mod-z": again };
    },
  });
}
