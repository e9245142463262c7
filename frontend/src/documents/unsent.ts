// Which documents may hold something on this device that the server does not have: changes, pictures, chat messages. Names
// only, written down when something begins to wait and taken out by whoever has found that nothing does. Each is an entry
// of its own: in one list, two tabs that write at a time would lose a name.
import { createStore, type Store } from "../ui/store";
import { parseName, type DocumentName } from "./name";

const PREFIX = "weft.unsent:";
/** Where an earlier version wrote down all of them. */
const LIST = "weft.unsent";

/** Grows with each change of the record, in any tab, and with what was found out about what waits. */
export const unsentNews: Store<number> = createStore(0);

export function tellUnsent(): void {
  unsentNews.set(unsentNews.get() + 1);
}

/** What the browser would not write down, its record being full: known as long as the page is. */
const unwritten = new Set<string>();

export function unsentDocuments(): readonly DocumentName[] {
  return [...new Set([...written(), ...unwritten])].sort().map(parseName).filter((name) => name !== null);
}

function written(): readonly string[] {
  try {
    const keys = Array.from({ length: localStorage.length }, (_, at) => localStorage.key(at));
    return keys.flatMap((key) => (key?.startsWith(PREFIX) ? [key.slice(PREFIX.length)] : []));
  } catch {
    return [];
  }
}

export function rememberUnsent(name: string): void {
  if (unwritten.has(name)) return;
  try {
    if (localStorage.getItem(PREFIX + name) !== null) return;
    localStorage.setItem(PREFIX + name, "");
  } catch {
    unwritten.add(name);
  }
  tellUnsent();
}

/** Nothing of it waits any more. Whoever forgets tells, once for all that they forget. */
export function forgetUnsent(name: string): void {
  unwritten.delete(name);
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // Where nothing can be removed nothing was stored.
  }
}

/** Takes over what an earlier version wrote down. */
export function adoptUnsent(): void {
  try {
    const list = localStorage.getItem(LIST);
    if (list === null) return;
    for (const name of parseUnsent(list)) rememberUnsent(name);
    localStorage.removeItem(LIST);
  } catch {
    // The next page tries again.
  }
}

export function parseUnsent(text: string): readonly DocumentName[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map((name: unknown) => (typeof name === "string" ? parseName(name) : null)).filter((name) => name !== null) : [];
  } catch {
    return [];
  }
}

/** Follows the other tabs. Returns the end of it. */
export function followUnsent(): () => void {
  const onStorage = ({ key }: StorageEvent): void => {
    // Without a key everything was removed.
    if (key === null || key.startsWith(PREFIX)) tellUnsent();
  };
  window.addEventListener("storage", onStorage);
  return () => window.removeEventListener("storage", onStorage);
}
