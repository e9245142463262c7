// One's own steps on a board, never a colleague's.
import type { UndoManager } from "yjs";

export interface BoardHistory {
  readonly undo: () => void;
  readonly redo: () => void;
  readonly canUndo: () => boolean;
  readonly canRedo: () => boolean;
  /** Calls back when one of the two answers may have changed. Returns the end of it. */
  readonly subscribe: (listener: () => void) => () => void;
}

const EVENTS = ["stack-item-added", "stack-item-popped", "stack-cleared"] as const;

export function historyOf(
  steps: UndoManager,
  ports: {
    /** Whether anything may be written, and who is to be told when that changes. */
    readonly writable: () => boolean;
    readonly allowed: Set<() => void>;
    /** Writes what is in hand: it is a step of its own. */
    readonly settle: () => void;
  },
): BoardHistory {
  const { writable, allowed, settle } = ports;
  const step = (move: () => unknown): void => {
    if (!writable()) return;
    settle();
    steps.stopCapturing();
    move();
  };
  return {
    undo: () => step(() => steps.undo()),
    redo: () => step(() => steps.redo()),
    canUndo: () => writable() && steps.canUndo(),
    canRedo: () => writable() && steps.canRedo(),
    subscribe: (listener) => {
      for (const event of EVENTS) steps.on(event, listener);
      allowed.add(listener);
      return () => {
        allowed.delete(listener);
        for (const event of EVENTS) steps.off(event, listener);
      };
    },
  };
}
