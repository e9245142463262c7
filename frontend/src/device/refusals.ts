// What the server said no to while it was sent behind the page, in this visit, by what it was: the changes, one picture, the
// chat. It is not asked about again until something else waits there, or until somebody had the document open.
import type { CopyRefusal } from "../sync/behind";

/** `picture ` is followed by the key of one. */
export type Part = "changes" | "chat" | `picture ${string}`;

interface Said {
  readonly refusal: CopyRefusal;
  /** How much waited then. */
  readonly of: number;
}

const said = new Map<string, Map<Part, Said>>();

/** `of` is how much waits now: what was said of less, or of more, says nothing about it. */
export function refusalOf(name: string, part: Part, of = 1): CopyRefusal | null {
  const known = said.get(name)?.get(part);
  return known?.of === of ? known.refusal : null;
}

export function rememberRefusal(name: string, part: Part, refusal: CopyRefusal, of = 1): void {
  const parts = said.get(name) ?? new Map<Part, Said>();
  said.set(name, parts.set(part, { refusal, of }));
}

/** It got through. */
export function dropRefusal(name: string, part: Part): void {
  said.get(name)?.delete(part);
}

/** The document was left, or brought back: all of it is asked about anew. */
export function forgetRefusals(name: string): void {
  said.delete(name);
}
