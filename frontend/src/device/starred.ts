// The documents somebody starred on this device. Names only: titles and times are the server's to tell.
import { parseName, type DocumentName } from "../documents/name";
import { createStore, useStore, type Store } from "../ui/store";

const KEY = "weft.starred";

const starred: Store<ReadonlySet<DocumentName>> = createStore(load());

if (typeof window !== "undefined") {
  // Another tab starred something.
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) starred.set(load());
  });
}

export function useStarred(): ReadonlySet<DocumentName> {
  return useStore(starred);
}

export function setStarred(name: DocumentName, star: boolean): void {
  const next = new Set(starred.get());
  if (star) next.add(name);
  else next.delete(name);
  starred.set(next);
  try {
    localStorage.setItem(KEY, JSON.stringify([...next]));
  } catch {
    // No storage: the star shines for this visit.
  }
}

/** Newest last; what is not a name is left out. */
export function parseStarred(text: string | null): ReadonlySet<DocumentName> {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(value)) return new Set();
    return new Set(value.flatMap((entry: unknown) => (typeof entry === "string" ? (parseName(entry) ?? []) : [])));
  } catch {
    return new Set();
  }
}

function load(): ReadonlySet<DocumentName> {
  try {
    return parseStarred(globalThis.localStorage.getItem(KEY));
  } catch {
    return new Set();
  }
}
