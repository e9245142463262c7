// The title as shared data: a string under `title` in the root map `meta`, where the server looks for it.
import type { Doc } from "yjs";

const ROOT = "meta";
const KEY = "title";

/** Longer ones help nobody and would travel with every list. In UTF-16 units, as inputs count. */
export const LONGEST_TITLE = 200;

export function readTitle(doc: Doc): string {
  const title: unknown = doc.getMap(ROOT).get(KEY);
  return typeof title === "string" ? oneLine(title) : "";
}

export function writeTitle(doc: Doc, title: string): void {
  const line = oneLine(title);
  if (line !== readTitle(doc)) doc.getMap(ROOT).set(KEY, line);
}

/** Calls back whenever the title may have changed. Returns the end of it. */
export function onTitle(doc: Doc, listener: () => void): () => void {
  const map = doc.getMap(ROOT);
  map.observe(listener);
  return () => map.unobserve(listener);
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, LONGEST_TITLE);
}
