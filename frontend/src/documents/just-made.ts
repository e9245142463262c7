// The document that was just made here: whoever made it is about to write in it.
import type { DocumentName } from "./name";

let made: DocumentName | null = null;

export function rememberJustMade(name: DocumentName): void {
  made = name;
}

/** Answers once. */
export function takeJustMade(name: DocumentName): boolean {
  const just = made === name;
  if (just) made = null;
  return just;
}
