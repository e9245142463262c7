// Who is inside: awareness states, written by any client in the world, read into people one can show.
import { COLOURS, isColour } from "../ui/colours";

export interface Person {
  /** The Yjs client id of one of this person's tabs; the one whose caret is shown when the avatar is pressed. */
  readonly client: number;
  /** Empty for clients that announce no name; the view has a word for them. */
  readonly name: string;
  readonly colour: string;
  readonly self: boolean;
}

/** What we announce about ourselves, in the shape Tiptap's and most other Yjs editors' carets read. */
export interface Announcement {
  readonly id: string;
  readonly name: string;
  readonly color: string;
  /** When they came: of two with one colour, whoever came later takes another (worn.ts). */
  readonly since: number;
}

/** Longer names are cut: a name is read over the text of others. In characters as people count them. */
export const LONGEST_NAME = 40;

/**
 * Everybody inside, oneself first, then by name. Tabs of one person (same announced id) count once; clients without an
 * awareness field `user` (servers, scripts) are not people.
 */
export function peopleIn(states: ReadonlyMap<number, unknown>, self: number): readonly Person[] {
  const byId = new Map<string, Person>();
  const clients = [...states.keys()].sort((a, b) => (a === self ? -1 : b === self ? 1 : a - b));
  for (const client of clients) {
    const user = field(states.get(client), "user");
    if (typeof user !== "object" || user === null) continue;
    const id = field(user, "id");
    const key = typeof id === "string" && id !== "" ? id : `client ${client}`;
    if (!byId.has(key)) byId.set(key, personOf(client, user, client === self));
  }
  const [first, ...others] = byId.values();
  if (!first) return [];
  const sorted = (first.self ? others : [first, ...others]).sort((a, b) => a.name.localeCompare(b.name) || a.client - b.client);
  return first.self ? [first, ...sorted] : sorted;
}

/** Reads one client's `user` field. Never fails: what is missing or odd is replaced by something harmless. */
export function personOf(client: number, user: unknown, self = false): Person {
  const colour = field(user, "color");
  return {
    client,
    name: tidyName(field(user, "name")),
    colour: isColour(colour) ? colour : (COLOURS[client % COLOURS.length] ?? COLOURS[0]),
    self,
  };
}

/** One line, no control characters, not endless. */
export function tidyName(name: unknown): string {
  if (typeof name !== "string") return "";
  const line = name.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  // Asked with each key of everybody's; characters are not more than letters.
  if (line.length <= LONGEST_NAME) return line;
  const characters = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(line.slice(0, 400))];
  return characters
    .slice(0, LONGEST_NAME)
    .map(({ segment }) => segment)
    .join("");
}

/** The one or two letters of an avatar; one character where a script does not use initials. */
export function initials(name: string): string {
  const words = name.split(" ").filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const first = [...(words[0] ?? "")][0];
  if (first === undefined) return "•";
  if (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u.test(first)) return [...name].at(-1) ?? first;
  const last = words.length > 1 ? [...(words.at(-1) ?? "")][0] : undefined;
  return (first + (last ?? "")).toLocaleUpperCase();
}

export interface Movement {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Who came and who went between two moments, by name, oneself excepted. */
export function movement(before: readonly Person[], after: readonly Person[]): Movement {
  const others = (people: readonly Person[]): Map<number, string> =>
    new Map(people.filter((person) => !person.self).map((person) => [person.client, person.name]));
  const [was, is] = [others(before), others(after)];
  return {
    joined: [...is].filter(([client]) => !was.has(client)).map(([, name]) => name),
    left: [...was].filter(([client]) => !is.has(client)).map(([, name]) => name),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
