// A text that nobody gave a title is called by its first line: written down as its title, so that every list and every
// other client knows, and kept in step until somebody gives it another. Only whoever writes does so, and only while the
// server is there: without it the title can wait, and would be counted among the changes that do.
import { useCallback, useSyncExternalStore } from "react";
import type { Doc, Transaction } from "yjs";
import { readKind } from "../documents/kind";
import { hasGivenTitle, readTitle, takeTitle } from "../documents/title";
import { CONTENT } from "../documents/roots";
import type { Room } from "../sync/room";
import { isEditable, isLive } from "../sync/status";
import { BODY } from "../text/binding/model";
import { firstWordsOf } from "../text/binding/words";

/** A line longer than this is cut between words: it is to be found in a list, not read there. In UTF-16 units. */
const LONGEST = 80;

/** The first line with a letter in it; empty for a board, which has no lines. */
export function firstLineOf(doc: Doc): string {
  switch (readKind(doc)) {
    case "text":
      return cut(firstWordsOf(doc, (label) => `@${label}`));
    case "plain":
      return cut(/[^\s][^\n]*/.exec(doc.getText(CONTENT).toJSON())?.[0] ?? "");
    default:
      return "";
  }
}

function cut(line: string): string {
  const words = line.replace(/[\p{Cc}\s]+/gu, " ").trim();
  if (words.length <= LONGEST) return words;
  const head = words.slice(0, LONGEST);
  const space = head.lastIndexOf(" ");
  return `${(space > LONGEST / 2 ? head.slice(0, space) : head).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** Until the end is called. */
export function nameByFirstLine({ doc, state, subscribe }: Pick<Room, "doc" | "state" | "subscribe">): () => void {
  let due = false;
  const write = (): void => {
    const { status } = state();
    if (!due || !isLive(status) || !isEditable(status)) return;
    due = false;
    if (!hasGivenTitle(doc)) takeTitle(doc, firstLineOf(doc));
  };
  const onWords = ({ local, changedParentTypes }: Transaction): void => {
    const root = doc.share.get(readKind(doc) === "plain" ? CONTENT : BODY);
    if (!local || root === undefined || !changedParentTypes.has(root)) return;
    due = true;
    // Not within the change itself, and yet on its way with it.
    queueMicrotask(write);
  };
  doc.on("afterTransaction", onWords);
  const end = subscribe(write);
  return () => {
    end();
    doc.off("afterTransaction", onWords);
  };
}

/** What a document is called: by its title, or what would be its title. */
export function useCalled(doc: Doc): string {
  const subscribe = useCallback(
    (listener: () => void) => {
      doc.on("update", listener);
      return () => doc.off("update", listener);
    },
    [doc],
  );
  return useSyncExternalStore(subscribe, () => readTitle(doc) || firstLineOf(doc));
}
