// What a chat says and hears; mirrors `src/protocol/chat.rs`. Everything that arrives was written by somebody: it is read
// field by field, and what does not fit is nothing.
import { sent } from "../rest/sent";
import type { ChatMessage, ChatPage, Person } from "../rest/types";
import { isColour } from "../ui/colours";
import { randomHex } from "../ui/random";

export type { Person };

export interface Message extends Omit<ChatMessage, "client_id"> {
  /** What its author's page called it before the server gave it an id. */
  readonly clientId: string;
}

export type Heard =
  | { readonly type: "history"; readonly you: Person; readonly people: readonly Person[]; readonly messages: readonly Message[]; readonly more: boolean }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "join" | "leave"; readonly person: Person }
  | { readonly type: "typing"; readonly person: Person; readonly typing: boolean }
  | { readonly type: "error"; readonly code: string; readonly clientId: string | null };

/** A frame of the server; `null` for what says nothing (a ping, a pong) or nothing we know. */
export function hear(frame: unknown): Heard | null {
  if (typeof frame !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return null;
  }
  const { type, payload } = fields(value);
  const given = fields(payload);
  switch (type) {
    case "history": {
      const you = personOf(given["you"]);
      if (you === null) return null;
      return { type, you, people: list(given["people"], personOf), messages: list(given["messages"], messageOf), more: given["more"] === true };
    }
    case "message": {
      const message = messageOf(payload);
      return message && { type, message };
    }
    case "join":
    case "leave": {
      const person = personOf(payload);
      return person && { type, person };
    }
    case "typing": {
      const person = personOf(payload);
      return person && { type, person, typing: given["typing"] === true };
    }
    case "error": {
      const { code, client_id: clientId } = given;
      if (typeof code !== "string") return null;
      return { type, code, clientId: typeof clientId === "string" ? clientId : null };
    }
    default:
      return null;
  }
}

/** A page of older messages, as `GET …/chat` answers it; `null` if the answer is none. */
export function pageOf(value: unknown): { readonly messages: readonly Message[]; readonly more: boolean } | null {
  const { messages, next } = sent<ChatPage>(value) ?? {};
  if (!Array.isArray(messages)) return null;
  return { messages: list(messages, messageOf), more: typeof next === "string" };
}

/** Read back from this device, where an earlier version of the app may have written it. */
export function messageOf(value: unknown): Message | null {
  const { id, client_id: clientId, author, text, at } = sent<ChatMessage>(value) ?? {};
  const person = personOf(author);
  if (typeof id !== "string" || typeof clientId !== "string" || person === null || typeof text !== "string" || typeof at !== "number") return null;
  return { id, clientId, author: person, text, at };
}

export const wireOf = ({ id, clientId, author, text, at }: Message): ChatMessage => ({ id, client_id: clientId, author, text, at });

export const sayMessage = (id: string, text: string): string => JSON.stringify({ type: "message", payload: { id, text } });
export const sayTyping = (typing: boolean): string => JSON.stringify({ type: "typing", payload: { typing } });
export const PING = JSON.stringify({ type: "ping", payload: {} });

/**
 * What we call a message of ours: whose it is, in which colour they were, and a part that no other message has. The server
 * takes it for a name and no more; to our own page it says which messages of earlier visits are one's own. At most 64
 * letters, digits and hyphens.
 */
export function nameMessage(person: string, colour: string): string {
  return `${tidy(person)}-${colour.slice(1).toLowerCase()}-${randomHex(16)}`;
}

/** Who wrote a message, as far as its name tells; other apps name theirs as they like. */
export function originOf(clientId: string): { readonly person: string; readonly colour: string } | null {
  const [, person, letters] = /^([A-Za-z0-9_]{1,24})-([0-9a-f]{6})-[0-9a-f]{32}$/.exec(clientId) ?? [];
  const colour = `#${letters ?? ""}`;
  return person !== undefined && isColour(colour) ? { person, colour } : null;
}

export const isOf = (clientId: string, person: string): boolean => originOf(clientId)?.person === tidy(person);

function tidy(person: string): string {
  return person.replace(/[^A-Za-z0-9_]/g, "").slice(0, 24) || "_";
}

function personOf(value: unknown): Person | null {
  const { session, name } = sent<Person>(value) ?? {};
  return typeof session === "string" && typeof name === "string" ? { session, name } : null;
}

function list<T>(value: unknown, read: (entry: unknown) => T | null): readonly T[] {
  return Array.isArray(value) ? value.map(read).filter((entry) => entry !== null) : [];
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
