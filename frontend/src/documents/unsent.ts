// Which documents may hold something on this device that the server does not have: changes, pictures, chat messages. Names
// only, written down when something begins to wait and taken out by whoever finds that nothing does.
import { createStore, type Store } from "../ui/store";
import { parseName, type DocumentName } from "./name";

const KEY = "weft.unsent";

/** Grows with each change of the record, in any tab, and with what was found out about what waits. */
export const unsentNews: Store<number> = createStore(0);

export function tellUnsent(): void {
  unsentNews.set(unsentNews.get() + 1);
}

export function unsentDocuments(): readonly DocumentName[] {
  try {
    return parseUnsent(localStorage.getItem(KEY));
  } catch {
    return [];
  }
}

export function parseUnsent(text: string | null): readonly DocumentName[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.map((name: unknown) => (typeof name === "string" ? parseName(name) : null)).filter((name) => name !== null) : [];
  } catch {
    return [];
  }
}

export function rememberUnsent(name: string): void {
  const names = unsentDocuments();
  if (!names.some((other) => other === name)) write([...names, name]);
}

/** Nothing of it waits any more. */
export function forgetUnsent(name: string): void {
  const names = unsentDocuments();
  if (names.some((other) => other === name)) write(names.filter((other) => other !== name));
}

function write(names: readonly string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(names));
  } catch {
    // Without storage nothing waits on this device either.
  }
  tellUnsent();
}

/** Follows the other tabs. Returns the end of it. */
export function followUnsent(): () => void {
  const onStorage = ({ key }: StorageEvent): void => {
    if (key === KEY) tellUnsent();
  };
  window.addEventListener("storage", onStorage);
  return () => window.removeEventListener("storage", onStorage);
}
