// Which documents have a copy on this device, with the title last seen: what the home page can offer without a server.
// A list of names only; the copies themselves belong to sync/copy.ts.
import { isKind, type Kind } from "../documents/kind";
import { parseName, type DocumentName } from "../documents/name";

export interface KeptDocument {
  readonly name: DocumentName;
  readonly title: string | null;
  /** What it was when last open here. */
  readonly kind: Kind;
  /** When it was last open here, in ms since 1970. */
  readonly seen: number;
  /** Whether it was in the trash when this device last heard of it. */
  readonly trashed: boolean;
}

const KEY = "weft.kept";
/** The oldest are forgotten beyond this, so that the record stays small; their copies stay usable by address. */
const MOST = 500;

export function keptDocuments(): readonly KeptDocument[] {
  try {
    return parseKept(localStorage.getItem(KEY));
  } catch {
    return [];
  }
}

export function rememberKept(name: DocumentName, title: string | null, kind: Kind = "text"): void {
  const all = keptDocuments();
  const trashed = all.some((kept) => kept.name === name && kept.trashed);
  write([{ name, title, kind, seen: Date.now(), trashed }, ...all.filter((kept) => kept.name !== name)].slice(0, MOST));
}

/** Where the server has it now: what is in the trash is not offered without a server. */
export function rememberTrashed(name: DocumentName, trashed: boolean): void {
  const all = keptDocuments();
  if (all.some((kept) => kept.name === name && kept.trashed !== trashed)) write(all.map((kept) => (kept.name === name ? { ...kept, trashed } : kept)));
}

export function forgetKept(name: DocumentName): void {
  write(keptDocuments().filter((kept) => kept.name !== name));
}

/** A document the server told of when it last answered: what can be named without it, though not opened. */
export interface ListedDocument {
  readonly name: DocumentName;
  readonly title: string | null;
  readonly modified: number;
}

const LISTED = "weft.listed";

export function listedDocuments(): readonly ListedDocument[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(LISTED) ?? "[]");
    if (!Array.isArray(value)) return [];
    return value.flatMap((entry: unknown): ListedDocument[] => {
      if (typeof entry !== "object" || entry === null) return [];
      const { name: text, title, modified } = entry as Record<string, unknown>;
      const name = typeof text === "string" ? parseName(text) : null;
      if (name === null || typeof modified !== "number") return [];
      return [{ name, title: typeof title === "string" ? title : null, modified }];
    });
  } catch {
    return [];
  }
}

export function rememberListed(documents: readonly ListedDocument[]): void {
  try {
    localStorage.setItem(LISTED, JSON.stringify(documents.slice(0, 100).map(({ name, title, modified }) => ({ name, title, modified }))));
  } catch {
    // Without storage the list is empty without a server, as it was.
  }
}

/** Newest first; entries that are not ours are left out. */
export function parseKept(text: string | null): readonly KeptDocument[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown): KeptDocument[] => {
    if (typeof entry !== "object" || entry === null) return [];
    const { name: text, title, kind, seen, trashed } = entry as Record<string, unknown>;
    const name = typeof text === "string" ? parseName(text) : null;
    if (name === null || typeof seen !== "number") return [];
    return [{ name, title: typeof title === "string" ? title : null, kind: isKind(kind) ? kind : "text", seen, trashed: trashed === true }];
  });
}

function write(documents: readonly KeptDocument[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(documents));
  } catch {
    // Without storage there are no copies to list either.
  }
}
