// A chat as a pure machine: what was said, what waits to be said, who is writing. One event at a time, and nothing here
// knows a socket, a page or a clock.
//
// A message is there once because its name never changes: it waits under that name, is sent under it as often as needed,
// and leaves the queue when the server repeats it.
import { TOO_BIG } from "../sync/close";
import { isOf, type Heard, type Message } from "./protocol";

/** Something of ours that the server has not confirmed. */
export interface Waiting {
  readonly id: string;
  readonly text: string;
  /** When it was written, in ms since 1970. */
  readonly at: number;
  /** The server's word for why it will not have it; `null` while it waits its turn. */
  readonly refused: string | null;
}

export interface Writer {
  readonly session: string;
  readonly name: string;
  /** From then on their silence counts, in ms since 1970. */
  readonly until: number;
}

/** Who came and went between two messages. Who did both is in neither list. */
export interface Coming {
  /** The message it follows; `null` at the beginning. */
  readonly after: string | null;
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

export type Line = "idle" | "connecting" | "live" | "lost" | "ended";

export interface State {
  readonly line: Line;
  /** Whose chat page this is, as in the names of messages. */
  readonly person: string;
  readonly name: string;
  readonly said: readonly Message[];
  /** What is before the first message we have. */
  readonly past: "unknown" | "none" | "more" | "loading" | "failed";
  readonly waiting: readonly Waiting[];
  /** The message whose confirmation is awaited. One at a time: what is said in order arrives in order. */
  readonly sending: string | null;
  /** Why the server takes no messages for the moment, until when we leave it alone (0 once that is past), and how often so. */
  readonly held: { readonly why: string; readonly until: number; readonly times: number } | null;
  readonly writers: readonly Writer[];
  readonly comings: readonly Coming[];
  /** Who is here by which session: somebody with two tabs open has not left when one of them closes. */
  readonly here: ReadonlyMap<string, string>;
  /** The last message that was read here, by its id. */
  readonly read: string | null;
}

export type Event =
  | { readonly type: "connecting" }
  | { readonly type: "closed"; readonly code: number }
  | { readonly type: "ended" }
  | { readonly type: "rested" }
  | { readonly type: "heard"; readonly heard: Heard; readonly now: number }
  | { readonly type: "say"; readonly id: string; readonly text: string; readonly now: number }
  | { readonly type: "sent"; readonly id: string }
  /** A refused message is tried again, or taken out of the queue. */
  | { readonly type: "again"; readonly id: string }
  | { readonly type: "drop"; readonly id: string }
  | { readonly type: "older" }
  | { readonly type: "page"; readonly messages: readonly Message[]; readonly more: boolean }
  | { readonly type: "page-failed" }
  | { readonly type: "read" }
  | { readonly type: "named"; readonly name: string }
  /** What waits and what was read, as it is written down by now: another tab, or the service worker, may have been at it. */
  | { readonly type: "elsewhere"; readonly waiting: readonly Waiting[]; readonly read: string | null }
  | { readonly type: "time"; readonly now: number };

/** Somebody is writing for so long after they last said so, in ms; pages repeat it more often. */
export const WRITING = 6_000;

/** The server asks for patience, or cannot store at the moment: the first wait and the longest, in ms. */
const HOLD = 1_000;
const LONGEST_HOLD = 30_000;

/** Refusals that concern the moment rather than the message. */
const PASSING = new Set(["rate_limited", "store_unwritable", "unavailable", "closed"]);

/** The name under which a message too large for one frame is refused; mirrors `protocol/chat.rs`. */
export const TOO_LONG = "too_long";

/** More notices of comings and goings than this are of no use to anybody. */
const MOST_COMINGS = 50;

export function start(ports: {
  readonly person: string;
  readonly name: string;
  readonly said: readonly Message[];
  readonly waiting: readonly Waiting[];
  readonly read: string | null;
}): State {
  return { ...ports, line: "idle", past: "unknown", sending: null, held: null, writers: [], comings: [], here: new Map() };
}

export function step(state: State, event: Event): State {
  switch (event.type) {
    case "connecting":
      return { ...state, line: "connecting" };
    case "closed":
      return silenced(event.code === TOO_BIG && state.sending !== null ? refused(state, state.sending, TOO_LONG) : state, "lost");
    case "ended":
      return silenced(state, "ended");
    case "rested":
      return silenced(state, "idle");
    case "heard":
      return heard(state, event.heard, event.now);
    case "say":
      // A clock that stands, or is set back, changes no order.
      return { ...state, waiting: [...state.waiting, { id: event.id, text: event.text, at: Math.max(event.now, (state.waiting.at(-1)?.at ?? 0) + 1), refused: null }] };
    case "sent":
      return { ...state, sending: event.id };
    case "again":
      return { ...state, waiting: state.waiting.map((waits) => (waits.id === event.id ? { ...waits, refused: null } : waits)) };
    case "drop":
      return { ...state, waiting: without(state.waiting, event.id) };
    case "older":
      return { ...state, past: "loading" };
    case "page":
      return { ...state, said: merged(event.messages, state.said), past: event.more ? "more" : "none" };
    case "page-failed":
      return { ...state, past: "failed" };
    case "read":
      return { ...state, read: later(state.read, state.said.at(-1)?.id ?? null) };
    case "named":
      return { ...state, name: event.name };
    case "elsewhere": {
      const sending = event.waiting.some(({ id }) => id === state.sending) ? state.sending : null;
      return { ...state, waiting: event.waiting, sending, read: later(state.read, event.read) };
    }
    case "time": {
      const writers = state.writers.filter(({ until }) => until > event.now);
      const { held } = state;
      const over = held !== null && held.until > 0 && held.until <= event.now;
      if (writers.length === state.writers.length && !over) return state;
      return { ...state, writers, held: over ? { ...held, until: 0 } : held };
    }
  }
}

/** What is to be sent now; `null` if nothing is, or not yet. */
export function next(state: State, now: number): Waiting | null {
  if (state.line !== "live" || state.sending !== null || (state.held !== null && state.held.until > now)) return null;
  return state.waiting.find(({ refused }) => refused === null) ?? null;
}

/** When the machine wants to be told the time again, in ms since 1970; `null` if only events can change anything. */
export function due(state: State): number | null {
  const moments = state.writers.map(({ until }) => until);
  if (state.held !== null && state.held.until > 0) moments.push(state.held.until);
  return moments.length === 0 ? null : Math.min(...moments);
}

/** How many messages of others came after the last one that was read. */
export function unread({ said, read, person }: State): number {
  return said.filter(({ id, clientId }) => (read === null || id > read) && !isOf(clientId, person)).length;
}

function heard(state: State, said: Heard, now: number): State {
  switch (said.type) {
    case "history": {
      const first = said.messages[0];
      const last = state.said.at(-1);
      // More was said meanwhile than the server tells by itself: what we had does not join on, and is asked for again.
      const apart = said.more && first !== undefined && last !== undefined && first.id > last.id;
      // Without more, this is all there is: what we had besides belonged to an earlier document of this name.
      const known = apart || !said.more ? [] : state.said;
      const reaches = known[0] !== undefined && first !== undefined && known[0].id < first.id && state.past !== "unknown";
      return confirmed(
        {
          ...state,
          line: "live",
          said: merged(known, said.messages),
          past: reaches ? state.past : said.more ? "more" : "none",
          sending: null,
          writers: [],
          comings: apart ? [] : state.comings,
          here: new Map(said.people.map(({ session, name }) => [session, name])),
        },
        said.messages,
      );
    }
    case "message": {
      const { message } = said;
      const writers = state.writers.filter(({ session }) => session !== message.author.session);
      return confirmed({ ...state, said: merged(state.said, [message]), writers, held: message.clientId === state.sending ? null : state.held }, [message]);
    }
    case "join":
      return moved({ ...state, here: new Map(state.here).set(said.person.session, said.person.name) }, state.here, said.person.name, "joined");
    case "leave": {
      const writers = state.writers.filter(({ session }) => session !== said.person.session);
      const here = new Map([...state.here].filter(([session]) => session !== said.person.session));
      return moved({ ...state, writers, here }, here, said.person.name, "left");
    }
    case "typing": {
      const { session, name } = said.person;
      const writers = state.writers.filter((writer) => writer.session !== session);
      return { ...state, writers: said.typing ? [...writers, { session, name, until: now + WRITING }] : writers };
    }
    case "error": {
      if (PASSING.has(said.code)) {
        const times = (state.held?.times ?? 0) + 1;
        const until = now + Math.min(HOLD * 2 ** (times - 1), LONGEST_HOLD);
        return { ...state, sending: null, held: { why: said.code, until, times } };
      }
      return said.clientId === null ? state : refused(state, said.clientId, said.code);
    }
  }
}

/** Repeated by the server: it is stored, and no longer ours to keep. */
function confirmed(state: State, messages: readonly Message[]): State {
  const names = new Set(messages.map(({ clientId }) => clientId));
  const waiting = state.waiting.filter(({ id }) => !names.has(id));
  return {
    ...state,
    waiting: waiting.length === state.waiting.length ? state.waiting : waiting,
    sending: state.sending !== null && names.has(state.sending) ? null : state.sending,
  };
}

function refused(state: State, id: string, why: string): State {
  return {
    ...state,
    waiting: state.waiting.map((waits) => (waits.id === id ? { ...waits, refused: why } : waits)),
    sending: state.sending === id ? null : state.sending,
  };
}

function silenced(state: State, line: Line): State {
  return { ...state, line, sending: null, writers: [], past: state.past === "loading" ? "more" : state.past };
}

/** Both without doubles, in the order in which the server has them. */
function merged(some: readonly Message[], others: readonly Message[]): readonly Message[] {
  const [last, first] = [some.at(-1), others[0]];
  if (first === undefined) return some;
  if (last === undefined || last.id < first.id) return [...some, ...others];
  const all = new Map([...some, ...others].map((message) => [message.id, message]));
  return [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Somebody reloading a page, or losing the line for a moment, is no news; and neither are other tabs, anybody's. */
function moved(state: State, others: ReadonlyMap<string, string>, name: string, how: "joined" | "left"): State {
  if (name === state.name || [...others.values()].includes(name)) return state;
  const after = state.said.at(-1)?.id ?? null;
  const latest = state.comings.at(-1);
  const current = latest?.after === after ? latest : { after, joined: [], left: [] };
  const other = how === "joined" ? "left" : "joined";
  const undone = current[other].includes(name);
  const coming: Coming = undone
    ? { ...current, [other]: current[other].filter((one) => one !== name) }
    : { ...current, [how]: [...current[how].filter((one) => one !== name), name] };
  const before = current === latest ? state.comings.slice(0, -1) : state.comings;
  const empty = coming.joined.length === 0 && coming.left.length === 0;
  return { ...state, comings: (empty ? before : [...before, coming]).slice(-MOST_COMINGS) };
}

function without(waiting: readonly Waiting[], id: string): readonly Waiting[] {
  return waiting.filter((waits) => waits.id !== id);
}

function later(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}
