// Where two documents of the editor differ, by their children: those that are the very same are not looked into.
import type { Node } from "@tiptap/pm/model";

/** The children of two documents that differ, by number: from the same first to different last. */
export interface Window {
  readonly from: number;
  readonly oldTo: number;
  readonly newTo: number;
}

export function differing(old: Node, now: Node): Window | null {
  const window = differingIn(old.children, now.children);
  return window.from === window.oldTo && window.from === window.newTo ? null : window;
}

/** The same of two lists. */
export function differingIn(old: readonly unknown[], now: readonly unknown[]): Window {
  let [from, oldTo, newTo] = [0, old.length, now.length];
  while (from < oldTo && from < newTo && old[from] === now[from]) from += 1;
  while (oldTo > from && newTo > from && old[oldTo - 1] === now[newTo - 1]) {
    oldTo -= 1;
    newTo -= 1;
  }
  return { from, oldTo, newTo };
}
