// What arrives over REST before anybody has looked at it: it may have the fields that its type has, and anything in them.
import type * as rest from "./types";

/** The fields of a `T`, each of which may be missing or anything. A field that the server does not describe is none. */
export type Sent<T> = { readonly [Field in keyof T]?: unknown };

/** An object's fields; `null` for what is none. */
export function sent<T>(value: unknown): Sent<T> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}

/** The code and the words of a refusal, if this is one of Weft's. */
export function refusalOf(value: unknown): rest.Error["error"] | null {
  const { code, message } = sent<rest.Error["error"]>(sent<rest.Error>(value)?.error) ?? {};
  return typeof code === "string" && typeof message === "string" ? { code, message } : null;
}
