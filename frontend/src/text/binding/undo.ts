// Undo of one's own writing in all sequences of a text. A burst of typing is one step, and so is each change of the
// structure; where the caret was comes back with what was written there.
import { UndoManager, type Doc } from "yjs";
import type { TextBinding, Written } from "./binding";
import { type SharedSelection, placed } from "./carets";
import type * as Restored from "./restored";

// What sees to it that all comes back where it was is fetched with the first change: a text opens without it.
let restored: typeof Restored | null = null;
export const readyToRestore = async (): Promise<void> => void (restored = await import("./restored"));

/** Letters that follow each other within this time are taken back together. In ms. */
const BURST = 500;

export interface UndoPorts {
  readonly doc: Doc;
  readonly binding: TextBinding;
  /** Where the caret is, as it is told to others. Asked when something was written, before that. */
  readonly caret?: () => SharedSelection;
  readonly burst?: number;
}

export interface Undo {
  readonly manager: UndoManager;
  /** To be told of each change before and after it is written. */
  readonly written: (change: Written) => void;
  /** Takes back the last step, or does it again. Answers where the caret was then; `null` if that is nowhere. */
  readonly undo: () => Undone;
  readonly redo: () => Undone;
  readonly dispose: () => void;
}

export interface Undone {
  readonly done: boolean;
  readonly caret: { readonly anchor: number; readonly head: number } | null;
}

/** Only the part of a stack's step that is used here. */
interface Kept {
  readonly meta: Map<unknown, unknown>;
}

export function createUndo({ doc, binding, caret, burst = BURST }: UndoPorts): Undo {
  const manager = new UndoManager(doc, { trackedOrigins: new Set([binding]), captureTimeout: burst });
  let before: SharedSelection | null = null;
  let turned: Kept | null = null;
  manager.on("stack-item-added", ({ stackItem: { meta }, type }: { stackItem: Kept; type: "undo" | "redo" }) => {
    // What is taken back, or done again, is the same change as before. It is done again where the caret was before it was taken
    // back.
    meta.set("undo", turned ? turned.meta.get("undo") : before);
    if (type === "redo") meta.set(type, before);
  });
  const turn = (what: "undo" | "redo"): Undone => {
    if (!(what === "undo" ? manager.canUndo() : manager.canRedo())) return { done: false, caret: null };
    for (const step of what === "undo" ? manager.undoStack : manager.redoStack) step.insertions = restored?.numbersNow(doc, step.insertions) ?? step.insertions;
    before = caret?.() ?? null;
    try {
      doc.transact((transaction) => {
        turned = manager[what]();
        restored?.putBehindStarts(transaction);
        // Until the transaction is over, and the manager hears of it.
        manager[`${what}ing`] = true;
      }, manager);
      return { done: turned !== null, caret: placed(binding, turned?.meta.get(what)) };
    } finally {
      manager[`${what}ing`] = false;
      turned = null;
    }
  };
  return {
    manager,
    written: ({ structural, before: isBefore }) => {
      if (restored === null) readyToRestore().catch(() => undefined);
      if (structural) manager.stopCapturing();
      if (isBefore) before = caret?.() ?? null;
    },
    undo: () => turn("undo"),
    redo: () => turn("redo"),
    dispose: () => manager.destroy(),
  };
}
