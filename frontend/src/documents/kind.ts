// What a document is: a text, a plain text or a board. Said in the document itself, under `kind` in the root map `meta`
// beside its title, so that every copy of it knows. A document that says nothing is a text.
import type { Doc } from "yjs";

const ROOT = "meta";
const KEY = "kind";

export const KINDS = ["text", "plain", "board"] as const;
export type Kind = (typeof KINDS)[number];

export function isKind(value: unknown): value is Kind {
  return KINDS.some((kind) => kind === value);
}

/** `null` is a kind this version of the app does not know: what it holds must not be shown as something else. */
export function readKind(doc: Doc): Kind | null {
  const kind: unknown = doc.getMap(ROOT).get(KEY);
  if (kind === undefined) return "text";
  return isKind(kind) ? kind : null;
}

/** Whether it stands in the document, so that what comes later cannot make it another. */
export function kindSaid(doc: Doc): boolean {
  return doc.getMap(ROOT).has(KEY);
}

export function writeKind(doc: Doc, kind: Kind): void {
  if (readKind(doc) !== kind) doc.getMap(ROOT).set(KEY, kind);
}

/** Writes it down even where nothing would mean the same: a document that holds nothing at all is none to the server. */
export function sayKind(doc: Doc, kind: Kind): void {
  doc.getMap(ROOT).set(KEY, kind);
}

/** Calls back whenever the kind may have changed. Returns the end of it. */
export function onKind(doc: Doc, listener: () => void): () => void {
  const map = doc.getMap(ROOT);
  map.observe(listener);
  return () => map.unobserve(listener);
}
