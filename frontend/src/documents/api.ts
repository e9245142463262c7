// The server's REST interface, typed and checked: what arrives is parsed before anybody believes it. What it may be is
// described by the server itself (`rest/types.ts`).
import { refusalOf, sent } from "../rest/sent";
import type * as rest from "../rest/types";
import { COLOURS, isColour } from "../ui/colours";
import { parseName, type DocumentName } from "./name";

export interface DocumentSummary extends Omit<rest.Document, "name" | "state" | "people"> {
  readonly name: DocumentName;
  /** What is deleted for ever is not shown. */
  readonly state: Exclude<rest.DocumentState, "deleted">;
  readonly people: readonly Shown[];
}

/** Somebody as others see them. */
export interface Shown {
  readonly name: string;
  readonly colour: string;
}

export interface DocumentPage extends Omit<rest.DocumentPage, "documents"> {
  readonly documents: readonly DocumentSummary[];
}

/** A file stored beside a document, as far as a text or a board has use for it. */
export type Attachment = Pick<rest.Attachment, "id" | "url" | "type" | "bytes">;

export type Shelf = rest.Shelf;

/** Sorted by what the reader can do about it. `retryAfter` is what the server asks for before the next try, in ms. */
export type Problem =
  /** No answer: no network, or no server. Trying again later may help. */
  | { readonly kind: "unreachable"; readonly retryAfter?: number }
  /** The server answered and said no; `code` is its word for why. */
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly message: string; readonly retryAfter?: number }
  /** An answer that is not Weft's: something else is listening there, or the page is older than the server. */
  | { readonly kind: "garbled" };

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.kind === "refused" ? `${problem.code}: ${problem.message}` : problem.kind);
  }
}

/** The problem behind anything thrown by this module; what is not ours is passed on. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  throw error;
}

export interface Api {
  readonly list: (shelf: Shelf, after?: string | null, signal?: AbortSignal) => Promise<DocumentPage>;
  readonly read: (name: DocumentName, signal?: AbortSignal) => Promise<DocumentSummary>;
  /** All that is in it, as one Yjs update. */
  readonly state: (name: DocumentName) => Promise<Uint8Array<ArrayBuffer>>;
  /** Applies a Yjs update; answers when it is durable. A document that does not exist begins with it. */
  readonly contribute: (name: DocumentName, update: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** Stores a file beside a document, as it is. */
  readonly upload: (name: DocumentName, file: Blob, signal?: AbortSignal) => Promise<Attachment>;
  readonly moveToTrash: (name: DocumentName) => Promise<void>;
  readonly restore: (name: DocumentName) => Promise<void>;
  readonly deleteForEver: (name: DocumentName) => Promise<void>;
}

/** A line that says nothing for so long is a dead one, in ms; the same as for the live connection. */
const PATIENCE = 9_000;
/** What is sent may take as long as on the slowest line anybody would wait at, in bytes per second. */
const SLOWEST = 8 * 1024;

export function createApi(fetch: typeof globalThis.fetch = globalThis.fetch.bind(globalThis), timeout = AbortSignal.timeout.bind(AbortSignal)): Api {
  const call = async (method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> => {
    // A dead line would otherwise be waited at until the browser gives up, which takes minutes or does not happen.
    const deadline = timeout(PATIENCE + (body instanceof Blob ? Math.ceil((body.size / SLOWEST) * 1000) : 0));
    let response: Response;
    let text: string;
    try {
      response = await fetch(`/api/v1/documents${path}`, {
        method,
        headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": typeOf(body) }) },
        ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      });
      // The line may also die in the middle of the answer.
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError({ kind: "unreachable" });
    }
    const value = parsed(text);
    // The page of a network that wants a login first comes with a 200, too: what was asked for is not done then.
    if (response.ok && value === undefined && response.status !== 204) throw new ApiError({ kind: "garbled" });
    if (response.ok) return value;
    throw new ApiError(refusal(response, value));
  };
  const at = (name: DocumentName): string => `/${encodeURIComponent(name)}`;

  return {
    list: async (shelf, after, signal) => {
      const query = new URLSearchParams({ shelf, limit: "50", ...(after ? { after } : {}) });
      return pageOf(await call("GET", `?${query.toString()}`, undefined, signal));
    },
    read: async (name, signal) => summaryOf(await call("GET", at(name), undefined, signal)),
    state: async (name) => {
      let response: Response;
      let bytes: ArrayBuffer;
      try {
        response = await fetch(`/api/v1/documents${at(name)}/state`, { signal: timeout(PATIENCE * 10) });
        bytes = await response.arrayBuffer();
      } catch {
        throw new ApiError({ kind: "unreachable" });
      }
      if (!response.ok) throw new ApiError(refusal(response, parsed(new TextDecoder().decode(bytes))));
      // As above: the page of somebody else.
      if (!/^application\/octet-stream\b/.test(response.headers.get("content-type") ?? "")) throw new ApiError({ kind: "garbled" });
      return new Uint8Array(bytes);
    },
    contribute: async (name, update) => {
      const answer = await call("POST", `${at(name)}/updates`, new Blob([update]));
      // Whoever hears that it is durable lets go of their own: only Weft says so.
      if (sent<rest.Applied>(answer)?.durable !== true) throw new ApiError({ kind: "garbled" });
    },
    upload: async (name, file, signal) => attachmentOf(await call("POST", `${at(name)}/attachments`, file, signal)),
    moveToTrash: async (name) => void summaryOf(await call("DELETE", at(name))),
    restore: async (name) => void summaryOf(await call("POST", `${at(name)}/restore`)),
    deleteForEver: async (name) => {
      // Done, there is nothing left to say.
      if ((await call("DELETE", `${at(name)}?permanent=true`)) !== undefined) throw new ApiError({ kind: "garbled" });
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal({ status, headers }: Response, body: unknown): Problem {
  const after = retryAfter(headers.get("retry-after"));
  const asked = after === null ? {} : { retryAfter: after };
  const error = refusalOf(body);
  if (error !== null) return { kind: "refused", status, ...error, ...asked };
  // A proxy in between speaks for a server that is not there.
  return status === 429 || (status >= 502 && status <= 504) ? { kind: "unreachable", ...asked } : { kind: "garbled" };
}

/** Whatever stands there, nobody is made to wait for longer. In ms. */
const LONGEST_PAUSE = 5 * 60_000;

/** Seconds, or a date. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), LONGEST_PAUSE);
}

function pageOf(value: unknown): DocumentPage {
  const { documents, next } = sent<rest.DocumentPage>(value) ?? {};
  if (!Array.isArray(documents)) throw new ApiError({ kind: "garbled" });
  return {
    // A name no browser can address is left out rather than shown as a row that cannot be opened.
    documents: documents.filter(isAddressable).map(summaryOf),
    next: typeof next === "string" ? next : null,
  };
}

function summaryOf(value: unknown): DocumentSummary {
  const { name: called, title, kind, bytes, created, modified, state, editors, people } = sent<rest.Document>(value) ?? {};
  const name = typeof called === "string" ? parseName(called) : null;
  if (
    name === null ||
    !(typeof title === "string" || title === null || title === undefined) ||
    typeof bytes !== "number" ||
    typeof created !== "number" ||
    typeof modified !== "number" ||
    !(state === "live" || state === "trashed") ||
    typeof editors !== "number"
  ) {
    throw new ApiError({ kind: "garbled" });
  }
  return {
    name,
    title: title?.trim() ? title.trim() : null,
    kind: typeof kind === "string" ? kind : null,
    bytes,
    created,
    modified,
    state,
    editors,
    people: peopleOf(people),
  };
}

/** Who is inside is whatever their clients say: what cannot be shown is left out, and a colour that is none becomes ours. */
function peopleOf(value: unknown): readonly Shown[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((person: unknown): Shown[] => {
    const { name, color } = sent<rest.Document["people"][number]>(person) ?? {};
    if (typeof name !== "string" || name.trim() === "") return [];
    return [{ name: name.trim(), colour: isColour(color) ? color : COLOURS[0] }];
  });
}

function attachmentOf(value: unknown): Attachment {
  const { id, url, type, bytes } = sent<rest.Attachment>(value) ?? {};
  const usable = typeof id === "string" && typeof url === "string" && typeof type === "string" && typeof bytes === "number";
  // What is stored in the document is loaded by everybody who opens it: it must be on this server.
  if (!usable || !/^\/(?![/\\])/.test(url)) throw new ApiError({ kind: "garbled" });
  return { id, url, type, bytes };
}

function typeOf(body: unknown): string {
  return body instanceof Blob ? body.type || "application/octet-stream" : "application/json";
}

function isAddressable(value: unknown): boolean {
  const name = sent<rest.Document>(value)?.name;
  return typeof name !== "string" || parseName(name) !== null;
}
