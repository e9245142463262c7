// What the person is told about their document, as a pure machine: facts, one event at a time, and a status derived
// from the facts. Nothing here knows a socket, a browser or a clock, so every line of it can be tested.
//
// The wording rule of the house: "saved" may be said only after a durable acknowledgement. The y-websocket dialect has
// none, so the best this machine ever says is "connected".

/** The single source for the pill, the banner and the live region. */
export type Status =
  /** No local copy, and the first answer of the server is still on its way. Nothing to edit yet. */
  | { readonly kind: "opening" }
  /** The copy on this device is shown while the first answer of the server is on its way. */
  | { readonly kind: "cached" }
  /** In step with the server. */
  | { readonly kind: "connected" }
  /** The socket was lost and is being opened again. `kept` own changes wait on this device. */
  | { readonly kind: "reconnecting"; readonly kept: number }
  /** The network is down, or the server did not answer several times. Editing goes on. */
  | { readonly kind: "offline"; readonly kept: number }
  /** Neither the server nor a copy on this device: there is nothing to show, and a retry goes on behind it. */
  | { readonly kind: "unreachable" }
  /** The server refused for good, and says why by its close code. */
  | { readonly kind: "denied"; readonly code: number }
  /** The document is in the trash or deleted (close code 4404). */
  | { readonly kind: "gone" };

/** Where the connection stands. `lost` covers both "never opened" and "opened, then broke". */
export type Link =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting" }
  | { readonly phase: "syncing" }
  | { readonly phase: "live" }
  | { readonly phase: "lost" }
  | { readonly phase: "ended"; readonly code: number };

/** Where the local copy stands. `empty` means this browser has never seen the document; `refused` that it cannot store. */
export type Copy = "loading" | "empty" | "present" | "refused";

export interface Facts {
  readonly link: Link;
  readonly copy: Copy;
  readonly network: "up" | "down";
  /** Attempts in a row that did not reach a synced connection. */
  readonly failures: number;
  /** Whether this page was in step with the server at least once. */
  readonly everLive: boolean;
  /** Local transactions the server has not been offered yet. */
  readonly kept: number;
}

export type Event =
  | { readonly type: "copy-loaded"; readonly hasContent: boolean; readonly kept: number }
  | { readonly type: "copy-refused" }
  | { readonly type: "connecting" }
  | { readonly type: "opened" }
  | { readonly type: "synced" }
  | { readonly type: "closed" }
  /** The server ended it with a code that forbids trying again (4400 to 4499). */
  | { readonly type: "ended"; readonly code: number }
  | { readonly type: "local-change" }
  | { readonly type: "network"; readonly network: "up" | "down" };

/** After so many fruitless attempts the word changes from "reconnecting" to "offline". */
const PATIENCE = 3;

/** The server's word for a document in the trash or deleted; mirrors `src/protocol/close.rs`. */
const CLOSE_GONE = 4404;

export const START: Facts = {
  link: { phase: "idle" },
  copy: "loading",
  network: "up",
  failures: 0,
  everLive: false,
  kept: 0,
};

export function step(facts: Facts, event: Event): Facts {
  switch (event.type) {
    case "copy-loaded":
      // Changes made before the copy was read are in `facts.kept` already; those of earlier visits are added.
      return { ...facts, copy: event.hasContent ? "present" : "empty", kept: facts.kept + event.kept };
    case "copy-refused":
      return { ...facts, copy: "refused" };
    case "connecting":
      return { ...facts, link: { phase: "connecting" } };
    case "opened":
      return { ...facts, link: { phase: "syncing" } };
    case "synced":
      return { ...facts, link: { phase: "live" }, failures: 0, everLive: true, kept: 0 };
    case "closed":
      // An end is final: the socket that brought it is closed too, and that must not look like an accident.
      if (facts.link.phase === "ended") return facts;
      return { ...facts, link: { phase: "lost" }, failures: facts.link.phase === "live" ? 0 : facts.failures + 1 };
    case "ended":
      return { ...facts, link: { phase: "ended", code: event.code } };
    case "local-change":
      return facts.link.phase === "live" ? facts : { ...facts, kept: facts.kept + 1 };
    case "network":
      return { ...facts, network: event.network };
  }
}

export function statusOf(facts: Facts): Status {
  const { link, kept } = facts;
  if (link.phase === "ended") return link.code === CLOSE_GONE ? { kind: "gone" } : { kind: "denied", code: link.code };
  if (link.phase === "live") return { kind: "connected" };

  const troubled = facts.failures >= PATIENCE || facts.network === "down";
  const readable = facts.copy === "present" || facts.everLive;
  if (!readable) return troubled && facts.failures > 0 ? { kind: "unreachable" } : { kind: "opening" };
  if (troubled) return { kind: "offline", kept };
  if (facts.everLive || facts.failures > 0) return { kind: "reconnecting", kept };
  return { kind: "cached" };
}

/** Whether there is a document to show and to write in. */
export function isReadable(status: Status): boolean {
  switch (status.kind) {
    case "cached":
    case "connected":
    case "reconnecting":
    case "offline":
      return true;
    case "opening":
    case "unreachable":
    case "denied":
    case "gone":
      return false;
  }
}

/** Whether changes live in this tab only: closing it now would lose them. */
export function isOnlyInThisTab(facts: Facts): boolean {
  return facts.copy === "refused" && facts.link.phase !== "live" && facts.kept > 0;
}
