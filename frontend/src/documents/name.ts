// Document names: what the server accepts (mirrors `DocumentName` in src/ids.rs), and how a name travels in an address.

/** A name that has been checked. Made by `parseName` only. */
export type DocumentName = string & { readonly __brand: "DocumentName" };

/** Of the UTF-8 form, because that is what the server counts. */
const LONGEST = 256;

/** The name if the server would accept it and a browser can address it, else `null`. */
export function parseName(text: string): DocumentName | null {
  if (text.trim() === "" || text !== text.trim()) return null;
  if (/\p{Cc}/u.test(text) || /\p{Cs}/u.test(text)) return null;
  if (new TextEncoder().encode(text).length > LONGEST) return null;
  // Browsers resolve these two as steps in a path, encoded or not; no request for them ever leaves.
  if (text === "." || text === "..") return null;
  return text as DocumentName;
}

export function documentPath(name: DocumentName): string {
  return `/d/${encodeURIComponent(name)}`;
}

/** Reads `/d/{document}`, where slashes may stand encoded or as they are. */
export function nameFromPath(path: string): DocumentName | null {
  if (!path.startsWith("/d/")) return null;
  try {
    return parseName(decodeURIComponent(path.slice("/d/".length)));
  } catch {
    return null; // a broken percent sequence
  }
}
