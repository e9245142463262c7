// News between pages of this tab: something was done to a document, so that lists are no longer true.
const listeners = new Set<() => void>();

export function documentsChanged(): void {
  for (const listener of listeners) listener();
}

/** Returns the end of it. */
export function onDocumentsChanged(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
