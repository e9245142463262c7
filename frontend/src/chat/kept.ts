// What of a chat a page writes down at once: how far was read, what was said last, so that a document opened without a
// network brings its conversation along, and messages that wait for the server, until they lie where the service worker
// reads too (waiting.ts): whatever becomes of the page, they are there. One record of localStorage per document, shared by
// all tabs: it is changed entry by entry, so that no tab overwrites what another wrote down.
import { rememberUnsent } from "../documents/unsent";
import { messageOf, wireOf, type Message } from "./protocol";
import type { State, Waiting } from "./state";

export interface Kept {
  readonly waiting: readonly Waiting[];
  readonly read: string | null;
  readonly said: readonly Message[];
}

const NOTHING: Kept = { waiting: [], read: null, said: [] };

export const keyOf = (document: string): string => `weft.chat:${document}`;

/** Whether nothing became of a message between the two. */
export const alike = (one: Waiting, other: Waiting): boolean => one.id === other.id && one.refused === other.refused;

/** As much of the conversation as fits beside those of many other documents, in messages and in characters. */
const MOST = 30;
const LONGEST = 20_000;

export function readKept(document: string): Kept {
  try {
    return parseKept(localStorage.getItem(keyOf(document)));
  } catch {
    return NOTHING;
  }
}

/** Whoever wrote it: what is missing or wrong is left out. */
export function parseKept(text: string | null): Kept {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "null");
  } catch {
    return NOTHING;
  }
  if (typeof value !== "object" || value === null) return NOTHING;
  const { waiting, read, said } = value as Record<string, unknown>;
  return {
    waiting: Array.isArray(waiting) ? waiting.map(waitingIn).filter((entry) => entry !== null) : [],
    read: typeof read === "string" ? read : null,
    said: Array.isArray(said) ? said.map(messageOf).filter((entry) => entry !== null) : [],
  };
}

/** What the record says after a step of ours. What other tabs wrote into it stays. */
export function changed(kept: Kept, before: State, after: State): Kept {
  const gone = new Set(before.waiting.filter(({ id }) => !after.waiting.some((one) => one.id === id)).map(({ id }) => id));
  const fresh = new Map(after.waiting.filter((one) => !before.waiting.includes(one)).map((one) => [one.id, one]));
  const waiting = kept.waiting.filter(({ id }) => !gone.has(id)).map((one) => fresh.get(one.id) ?? one);
  const known = new Set(waiting.map(({ id }) => id));
  const read = after.read ?? kept.read;
  return {
    waiting: [...waiting, ...[...fresh.values()].filter(({ id }) => !known.has(id))],
    read: kept.read !== null && read !== null && kept.read > read ? kept.read : read,
    said: last(after.said),
  };
}

/** Leaves the record as it was where the browser takes nothing, or no more. */
export function writeKept(document: string, { waiting, read, said }: Kept): void {
  try {
    localStorage.setItem(keyOf(document), JSON.stringify({ waiting, read, said: said.map(wireOf) }));
    if (waiting.length > 0) rememberUnsent(document);
  } catch {
    // What is missing in it is found by reading it.
  }
}

/** What somebody had begun to write when they reloaded the page. A tab's own: what is begun in one is no affair of another. */
export function readDraft(document: string): string {
  try {
    return sessionStorage.getItem(draftKeyOf(document)) ?? "";
  } catch {
    return "";
  }
}

export function writeDraft(document: string, draft: string): void {
  try {
    if (draft === "") sessionStorage.removeItem(draftKeyOf(document));
    else sessionStorage.setItem(draftKeyOf(document), draft);
  } catch {
    // Where nothing is stored it lives as long as the page.
  }
}

const draftKeyOf = (document: string): string => `weft.chat.draft:${document}`;

/** Messages that lie elsewhere by now are taken out, but for those that were changed meanwhile. */
export function releaseKept(document: string, moved: readonly Waiting[]): void {
  const kept = readKept(document);
  const waiting = kept.waiting.filter((one) => !moved.some((other) => alike(one, other)));
  if (waiting.length < kept.waiting.length) writeKept(document, { ...kept, waiting });
}

export function forgetKept(document: string): void {
  writeDraft(document, "");
  try {
    localStorage.removeItem(keyOf(document));
  } catch {
    // Where nothing can be removed nothing was stored.
  }
}

function last(said: readonly Message[]): readonly Message[] {
  const few = said.slice(-MOST);
  let room = LONGEST;
  const from = few.findLastIndex(({ text }) => (room -= text.length) < 0);
  return few.slice(from + 1);
}

export function waitingIn(value: unknown): Waiting | null {
  if (typeof value !== "object" || value === null) return null;
  const { id, text, at, refused } = value as Record<string, unknown>;
  if (typeof id !== "string" || typeof text !== "string" || typeof at !== "number") return null;
  return { id, text, at, refused: typeof refused === "string" ? refused : null };
}
