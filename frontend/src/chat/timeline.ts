// A chat as it is read: days, messages of one person together, comings and goings in a line, and at the end what waits.
import { isOf, originOf, type Message } from "./protocol";
import type { State, Waiting } from "./state";

export type Entry =
  | { readonly kind: "day"; readonly key: string; readonly at: number }
  | { readonly kind: "said"; readonly key: string; readonly own: boolean; readonly name: string; readonly colour: string | null; readonly parts: readonly Part[] }
  | { readonly kind: "moved"; readonly key: string; readonly joined: readonly string[]; readonly left: readonly string[] };

export interface Part {
  readonly key: string;
  readonly text: string;
  readonly at: number;
  /** Ours, and not confirmed; `null` for what was said. */
  readonly waiting: Waiting | null;
}

/** Messages of one person within this time stand under one name, in ms. */
const TOGETHER = 5 * 60_000;

export function timeline(state: State, ownColour: string): readonly Entry[] {
  const { said, waiting, comings, person, name } = state;
  const entries: Entry[] = [];
  let day = "";
  let open: { author: string; until: number; parts: Part[] } | null = null;
  const add = (author: string, part: Part, head: Omit<Extract<Entry, { kind: "said" }>, "kind" | "parts" | "key">): void => {
    const today = new Date(part.at).toDateString();
    if (today !== day) {
      entries.push({ kind: "day", key: `day ${today} ${part.key}`, at: part.at });
      day = today;
      open = null;
    }
    if (open !== null && open.author === author && part.at < open.until) {
      open.parts.push(part);
      open.until = part.at + TOGETHER;
      return;
    }
    const parts = [part];
    open = { author, until: part.at + TOGETHER, parts };
    entries.push({ kind: "said", key: part.key, ...head, parts });
  };
  const move = (after: string | null): void => {
    for (const { joined, left } of comings.filter((coming) => coming.after === after)) {
      entries.push({ kind: "moved", key: `moved ${after ?? ""}`, joined, left });
      open = null;
    }
  };

  move(null);
  for (const message of said) {
    const own = isOf(message.clientId, person);
    const colour = own ? ownColour : (originOf(message.clientId)?.colour ?? null);
    add(own ? "me" : authorOf(message), { key: message.id, text: message.text, at: message.at, waiting: null }, { own, name: message.author.name, colour });
    move(message.id);
  }
  for (const waits of waiting) {
    add("me", { key: waits.id, text: waits.text, at: waits.at, waiting: waits }, { own: true, name, colour: ownColour });
  }
  return entries;
}

/** One visit may have several names; several visits of one person under one name are one to the reader. */
function authorOf({ author, clientId }: Message): string {
  return `${originOf(clientId)?.person ?? author.session} ${author.name}`;
}
