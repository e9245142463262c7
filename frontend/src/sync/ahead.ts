// A large document fetched by HTTP before its socket is opened: compressed on its way, and put into the document piece by
// piece as it comes. Fetched by who needs it; small documents open without.
import { applyUpdate, decodeStateVector, encodeStateVector, transact, type Doc } from "yjs";
import { openPieces } from "./pieces";

export interface AheadPorts {
  /** Where the state is, without a query. */
  readonly address: string;
  readonly doc: Doc;
  /** The origin of what is applied. */
  readonly origin: unknown;
  /** Told of every packet: how many bytes of the update it is. */
  readonly received: (bytes: number) => void;
  readonly signal: AbortSignal;
  readonly fetch?: typeof globalThis.fetch;
  /** Lets the page draw, and its person write. */
  readonly pause?: () => Promise<void>;
}

/** A line that brings nothing for so long is dead, in ms; the same as for a socket. */
const DEAD_AFTER = 9_000;

/**
 * After it has put something into the document it rests so many times as long as that took, drawing included: an editor may
 * draw all of a text anew for each piece, and whoever writes in it meanwhile must not notice.
 */
const REST = 9;

/**
 * Resolves with whether all of it came. What came stays in the document either way, and the socket asks for no more than the
 * rest. Never rejects.
 */
export async function fetchAhead(ports: AheadPorts): Promise<boolean> {
  const { doc, origin, signal, pause = breath } = ports;
  const dead = new AbortController();
  let silent: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silent);
    silent = setTimeout(() => dead.abort(), DEAD_AFTER);
  };
  let held: Uint8Array[] = [];
  const apply = (): void => {
    const pieces = held;
    held = [];
    // As one change, and nobody's here.
    transact(doc, () => pieces.forEach((piece) => applyUpdate(doc, piece, origin)), origin, false);
  };
  try {
    heard();
    const vector = encodeStateVector(doc);
    const known = decodeStateVector(vector);
    const query = known.size === 0 ? "" : `?vector=${base64url(vector)}`;
    const response = await (ports.fetch ?? fetch)(ports.address + query, { signal: AbortSignal.any([signal, dead.signal]) });
    // The page of a network that wants a login first comes with a 200, too.
    const ours = response.ok && /^application\/octet-stream\b/.test(response.headers.get("content-type") ?? "");
    if (!ours || response.body === null) {
      dead.abort();
      return false;
    }
    const pieces = openPieces(known);
    const reader = response.body.getReader();
    let due = 0;
    for (;;) {
      const { done, value } = await reader.read();
      heard();
      if (done) break;
      ports.received(value.length);
      if (signal.aborted) return false;
      held.push(...pieces.push(value));
      const start = Date.now();
      if (held.length === 0 || start < due) continue;
      apply();
      await pause();
      due = Date.now() + (Date.now() - start) * REST;
      // Time that the page took for itself is no silence.
      heard();
    }
    if (signal.aborted) return false;
    held.push(pieces.end());
    apply();
    return true;
  } catch {
    // What has come before the line broke.
    if (!signal.aborted && held.length > 0) apply();
    return false;
  } finally {
    clearTimeout(silent);
  }
}

/** A turn for everything else that waits, drawing included. */
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

function base64url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
