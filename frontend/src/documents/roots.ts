// Roots of the shared data that more than one room knows by name; `meta` is in kind.ts and title.ts, and the rest is each
// kind's own.

/** Of a plain text: a Y.Text of this name, the same text the JSON dialect edits. */
export const CONTENT = "content";

/** Of the files on a board: file id -> address on this server. */
export const FILES = "files";
