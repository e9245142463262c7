// Documents that were made here while no server answered, by name. Each has a copy on this device like any other; what is
// special is only that nobody else knows of it yet. Making and sending them is in make-here.ts, which weighs more.
import { parseName, type DocumentName } from "../documents/name";

const KEY = "weft.made";

export function madeHere(): readonly DocumentName[] {
  try {
    return parseMade(localStorage.getItem(KEY));
  } catch {
    return [];
  }
}

export function parseMade(text: string | null): readonly DocumentName[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(value)) return [];
    return value.map((name: unknown) => (typeof name === "string" ? parseName(name) : null)).filter((name) => name !== null);
  } catch {
    return [];
  }
}

/** The server has it, or it is not wanted any more. */
export function forgetMade(name: DocumentName): void {
  const names = madeHere();
  if (names.includes(name)) write(names.filter((other) => other !== name));
}

/** `false` if this browser stores nothing. */
export function rememberMade(name: DocumentName): boolean {
  return write([...madeHere().filter((other) => other !== name), name]);
}

function write(names: readonly DocumentName[]): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(names));
    return true;
  } catch {
    return false;
  }
}
