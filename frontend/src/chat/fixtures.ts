// For tests: people and what they say, as the server tells it.
import type { Message, Person } from "./protocol";
import { start, step, type Event, type State } from "./state";
import type { MessageStore, Row } from "./waiting";

export const ANN = "a11ce0a11ce0a11ce0a11ce0";

export const person = (name: string, session = `session of ${name}`): Person => ({ session, name });

/** The id sorts by `number`, as the server's do by time. */
export function message(number: number, author: string, text = `message ${number}`, clientId = `from-${author}-${number}`): Message {
  return { id: `018f0000-0000-7000-8000-${String(number).padStart(12, "0")}`, clientId, author: person(author), text, at: 1_700_000_000_000 + number * 1_000 };
}

export const fresh = (more: Partial<Parameters<typeof start>[0]> = {}): State => start({ person: ANN, name: "Ann", said: [], waiting: [], read: null, ...more });

export const history = (messages: readonly Message[], more = false): Event => ({
  type: "heard",
  heard: { type: "history", you: person("Ann"), people: [person("Ann")], messages, more },
  now: 0,
});
export const says = (said: Message, now = 0): Event => ({ type: "heard", heard: { type: "message", message: said }, now });
export const fault = (code: string, clientId: string | null, now = 0): Event => ({ type: "heard", heard: { type: "error", code, clientId }, now });

export const after = (state: State, ...events: readonly Event[]): State => events.reduce(step, state);

/** A store as the browser's, which every page of a test shares. */
export function memoryStore(): { -readonly [part in keyof MessageStore]: MessageStore[part] } & { readonly rows: Map<string, Row> } {
  const rows = new Map<string, Row>();
  return {
    rows,
    put: (_, messages, name) => Promise.resolve(messages.forEach((message) => rows.set(message.id, { ...message, name }))),
    drop: (_, ids) => Promise.resolve(ids.forEach((id) => rows.delete(id))),
    of: () => Promise.resolve([...rows.values()]),
    documents: () => Promise.resolve(rows.size > 0 ? ["notes"] : []),
    forget: () => Promise.resolve(rows.clear()),
  };
}
