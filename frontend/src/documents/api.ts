// The server's REST interface, typed and checked: what arrives is parsed before anybody believes it. Mirrors
// `src/http/documents.rs`.
import { COLOURS, isColour } from "../presence/colours";
import { parseName, type DocumentName } from "./name";

export interface DocumentSummary {
  readonly name: DocumentName;
  /** What the document calls itself, in its own data; `null` while nobody gave it a title. */
  readonly title: string | null;
  /** What it says it is, which may be more than this app knows; `null` for a text, and where the server does not know. */
  readonly kind: string | null;
  readonly bytes: number;
  /** Milliseconds since 1970, by the server's clock. */
  readonly created: number;
  readonly modified: number;
  readonly state: "live" | "trashed";
  /** Connections that have it open right now. */
  readonly editors: number;
  /** Some of the people behind them, as they show themselves. */
  readonly people: readonly Shown[];
}

/** Somebody as others see them. */
export interface Shown {
  readonly name: string;
  readonly colour: string;
}

export interface DocumentPage {
  readonly documents: readonly DocumentSummary[];
  /** Pass it as `after` to get the next page; `null` at the end. */
  readonly next: string | null;
}

/** A file stored beside a document. Mirrors the answer of `POST …/attachments`. */
export interface Attachment {
  readonly id: string;
  /** A path on this server. */
  readonly url: string;
  readonly type: string;
  readonly bytes: number;
}

export type Shelf = "live" | "trash";

/** Sorted by what the reader can do about it. */
export type Problem =
  /** No answer: no network, or no server. Trying again later may help. */
  | { readonly kind: "unreachable" }
  /** The server answered and said no; `code` is its word for why. */
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly message: string }
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
    if (response.ok) return value;
    throw new ApiError(refusal(response.status, value));
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
      try {
        response = await fetch(`/api/v1/documents${at(name)}/state`, { signal: timeout(PATIENCE * 10) });
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
      } catch {
        throw new ApiError({ kind: "unreachable" });
      }
      throw new ApiError(refusal(response.status, parsed(await response.text().catch(() => ""))));
    },
    contribute: async (name, update) => void (await call("POST", `${at(name)}/updates`, new Blob([update]))),
    upload: async (name, file, signal) => attachmentOf(await call("POST", `${at(name)}/attachments`, file, signal)),
    moveToTrash: async (name) => void (await call("DELETE", at(name))),
    restore: async (name) => void (await call("POST", `${at(name)}/restore`)),
    deleteForEver: async (name) => void (await call("DELETE", `${at(name)}?permanent=true`)),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, body: unknown): Problem {
  const error = isRecord(body) && isRecord(body["error"]) ? body["error"] : null;
  const [code, message] = [error?.["code"], error?.["message"]];
  if (typeof code === "string" && typeof message === "string") return { kind: "refused", status, code, message };
  // A proxy in between speaks for a server that is not there.
  return status >= 502 && status <= 504 ? { kind: "unreachable" } : { kind: "garbled" };
}

function pageOf(value: unknown): DocumentPage {
  if (!isRecord(value) || !Array.isArray(value["documents"])) throw new ApiError({ kind: "garbled" });
  const next = value["next"];
  return {
    // A name no browser can address is left out rather than shown as a row that cannot be opened.
    documents: value["documents"].filter(isAddressable).map(summaryOf),
    next: typeof next === "string" ? next : null,
  };
}

function summaryOf(value: unknown): DocumentSummary {
  if (!isRecord(value)) throw new ApiError({ kind: "garbled" });
  const name = typeof value["name"] === "string" ? parseName(value["name"]) : null;
  const { title, kind, bytes, created, modified, state, editors } = value;
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
    people: peopleOf(value["people"]),
  };
}

/** Who is inside is whatever their clients say: what cannot be shown is left out, and a colour that is none becomes ours. */
function peopleOf(value: unknown): readonly Shown[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((person: unknown): Shown[] => {
    if (!isRecord(person) || typeof person["name"] !== "string" || person["name"].trim() === "") return [];
    return [{ name: person["name"].trim(), colour: isColour(person["color"]) ? person["color"] : COLOURS[0] }];
  });
}

function attachmentOf(value: unknown): Attachment {
  if (!isRecord(value)) throw new ApiError({ kind: "garbled" });
  const { id, url, type, bytes } = value;
  const usable = typeof id === "string" && typeof url === "string" && typeof type === "string" && typeof bytes === "number";
  // What is stored in the document is loaded by everybody who opens it: it must be on this server.
  if (!usable || !/^\/(?![/\\])/.test(url)) throw new ApiError({ kind: "garbled" });
  return { id, url, type, bytes };
}

function typeOf(body: unknown): string {
  return body instanceof Blob ? body.type || "application/octet-stream" : "application/json";
}

function isAddressable(value: unknown): boolean {
  return !isRecord(value) || typeof value["name"] !== "string" || parseName(value["name"]) !== null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
