// The documents that the palette knows, and which of them are meant by some letters.
import type { Api } from "../documents/api";
import { isKind, type Kind } from "../documents/kind";
import { fold } from "../documents/fold";
import type { DocumentName } from "../documents/name";

export interface Named {
  readonly name: DocumentName;
  readonly title: string | null;
  readonly kind?: Kind;
}

/** Further pages are asked for up to here: who has more documents than this names them better than by scrolling a list. */
const MOST_PAGES = 20;

/** Every document on the server, page by page; `more` says whether the next page is wanted. */
export async function readDocuments(api: Pick<Api, "list">, signal: AbortSignal, found: (documents: readonly Named[]) => void, more: () => Promise<void>): Promise<void> {
  let after: string | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await api.list("live", after, signal);
    found(page.documents.map(({ name, title, kind }) => ({ name, title, kind: isKind(kind) ? kind : "text" })));
    after = page.next;
    if (after === null) return;
    await more();
  }
}

/** The first that is said of a document counts last: what the server says now is newer than what this device knew. */
export function merged(known: readonly Named[], news: readonly Named[]): readonly Named[] {
  const all = new Map(known.map((document) => [document.name, document]));
  for (const document of news) all.set(document.name, { ...all.get(document.name), ...document });
  return [...all.values()];
}

/** How well a title fits what was typed: every word of it has to be there. 0 is not at all, 1 the best. */
export function fit(title: string, wanted: string): number {
  const [text, words] = [fold(title), fold(wanted).split(/\s+/).filter((word) => word !== "")];
  if (!words.every((word) => text.includes(word))) return 0;
  if (text.startsWith(fold(wanted))) return 1;
  return words.every((word) => text.split(/[\s\p{P}]+/u).some((part) => part.startsWith(word))) ? 0.9 : 0.7;
}
