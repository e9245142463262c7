// The colour a person wears in the document that is open. It is the one they chose, unless somebody who was there before
// them has it: two people inside never share one. Whoever came later takes another, so that nobody changes under the eyes
// of those who know them; of two who come at the same moment it is decided by their client ids, the same way in both.
import { useStore, createStore } from "../ui/store";
import { useSettings } from "../ui/settings";
import { COLOURS, isColour } from "../ui/colours";

/** What others announce, read from an awareness state: `since` is ours, and missing in other clients. */
interface Announced {
  readonly client: number;
  readonly id: unknown;
  readonly colour: string;
  readonly since: number;
}

export interface Wearer {
  readonly client: number;
  /** The same for all tabs of one person, who wear one colour. */
  readonly person: string;
  /** When they came, in ms since 1970 by their own clock. */
  readonly since: number;
  /** What they wear so far, or would like to. */
  readonly colour: string;
}

/** What to wear among these people; `null` when every colour of ours is taken. */
export function colourAmong(states: ReadonlyMap<number, unknown>, self: Wearer): string | null {
  const others = [...states].flatMap(([client, state]) => (client === self.client ? [] : announced(client, state)));
  const before = ({ since, client }: Announced): boolean => since < self.since || (since === self.since && client < self.client);
  const elder = others.filter(({ id }) => id === self.person).filter(before).sort((one, other) => one.since - other.since || one.client - other.client)[0];
  if (elder !== undefined) return elder.colour;
  const strangers = others.filter(({ id }) => id !== self.person);
  if (!strangers.some((other) => other.colour === self.colour && before(other))) return self.colour;
  const taken = new Set(strangers.map(({ colour }) => colour));
  const free = COLOURS.filter((colour) => !taken.has(colour));
  // Not the first of them for everybody: several may be looking at the same moment.
  return free[self.client % free.length] ?? null;
}

export function coloursOf(states: ReadonlyMap<number, unknown>, but: { readonly client: number; readonly person: string }): ReadonlySet<string> {
  return new Set([...states].flatMap(([client, state]) => (client === but.client ? [] : announced(client, state))).flatMap(({ id, colour }) => (id === but.person ? [] : [colour])));
}

function announced(client: number, state: unknown): readonly Announced[] {
  const user: unknown = typeof state === "object" && state !== null ? (state as { readonly user?: unknown }).user : null;
  if (typeof user !== "object" || user === null) return [];
  const { id, color, since } = user as Readonly<Record<string, unknown>>;
  // Another client will not move: it was there first.
  return isColour(color) ? [{ client, id, colour: color.toLowerCase(), since: typeof since === "number" ? since : -Infinity }] : [];
}

/** In the open document; `null` where none is. */
export const worn = createStore<string | null>(null);

/** What the others in it wear, as one string, so that it only changes when they do. */
export const takenHere = createStore("");

/** The colour this person is seen in. */
export function useOwnColour(): string {
  const { colour } = useSettings();
  return useStore(worn) ?? colour ?? COLOURS[0];
}
