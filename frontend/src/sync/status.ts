// What the person is told about their document, as a pure machine: facts, one event at a time, and a status derived
// from the facts. Nothing here knows a socket, a browser or a clock, so every line of it can be tested.
//
// The wording rule of the house: "saved" is said only when the server has called every own change durable.
import type { ConnectionEvent, Refusal } from "./connection";
import type { Stall } from "./stall";

/** The single source for the pill, the banner and the live region. */
export type Status =
  /** No local copy, and the first answer of the server is still on its way. Nothing to edit yet. */
  | { readonly kind: "opening" }
  /**
   * The first answer of the server is large, or the line thin, and has been on its way for a while. `percent` of it has come,
   * where that is known; what has come can be shown if it is `readable`.
   */
  | { readonly kind: "loading"; readonly percent: number | null; readonly readable: boolean; readonly kept: number }
  /** The copy on this device is shown while the first answer of the server is on its way. */
  | { readonly kind: "cached"; readonly kept: number }
  /** In step with the server, and every own change is durable there. */
  | { readonly kind: "saved" }
  /** In step with the server, which has not called everything durable yet. `slow` once that is worth a word. */
  | { readonly kind: "saving"; readonly slow: boolean }
  /** In step with the server, which says that it cannot store. `kept` own changes wait on this device. */
  | { readonly kind: "not-stored"; readonly kept: number }
  /** In step with the server, which has acknowledged nothing for so long that something must be wrong. */
  | { readonly kind: "unconfirmed"; readonly kept: number }
  /** The socket was lost and is being opened again. `kept` own changes wait on this device. */
  | { readonly kind: "reconnecting"; readonly kept: number }
  /** The network is down, or the server did not answer several times. Editing goes on. */
  | { readonly kind: "offline"; readonly kept: number }
  /** Neither the server nor a copy on this device: there is nothing to show, and a retry goes on behind it. */
  | { readonly kind: "unreachable" }
  /** We may look, not write. */
  | { readonly kind: "read-only" }
  /** HTTP reaches the server and WebSocket does not: what can be read is shown, and nothing can be written together. */
  | { readonly kind: "no-websocket"; readonly readable: boolean }
  /** The document or the server has no room for us; it is tried again, and what can be read is shown. */
  | { readonly kind: "full"; readonly kept: number; readonly readable: boolean }
  /** A change is larger than the server takes. It stays on this device. */
  | { readonly kind: "too-large"; readonly kept: number }
  /** The server refused for good, and says why. `kept` own changes never reached it. */
  | { readonly kind: "denied"; readonly reason: string; readonly kept: number }
  /** A change made here was refused for good, so that nothing made after it can be saved either. `kept` wait here. */
  | { readonly kind: "change-refused"; readonly reason: string; readonly kept: number }
  /** The document is in the trash or deleted. `kept` own changes came too late. */
  | { readonly kind: "gone"; readonly kept: number };

/** Where the connection stands. `lost` covers both "never opened" and "opened, then broke". */
export type Link =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting" }
  | { readonly phase: "syncing" }
  | { readonly phase: "live" }
  | { readonly phase: "lost" }
  | { readonly phase: "refused"; readonly why: Refusal };

/** Where the local copy stands. `empty` means this browser has never seen the document; `refused` that it cannot store. */
export type Copy = "loading" | "empty" | "present" | "refused";

export interface Coming {
  readonly received: number;
  /** About how much it will be, if somebody said so. */
  readonly total: number | null;
  /** What has come can be shown for what it is. */
  readonly shows: boolean;
  /** It takes long enough to be worth a word. */
  readonly lasts: boolean;
}

export interface Facts {
  readonly link: Link;
  readonly copy: Copy;
  readonly network: "up" | "down";
  readonly access: "write" | "read";
  /** What has come of the first answer, which is on its way. In bytes. */
  readonly coming: Coming;
  /** Attempts in a row that did not reach a synced connection. */
  readonly failures: number;
  /** Whether this page was in step with the server at least once. */
  readonly everLive: boolean;
  /** Whether the content came by another way: asked for by HTTP, or from another tab. */
  readonly read: boolean;
  /** Whether a socket was ever opened in this visit. */
  readonly everOpened: boolean;
  /** HTTP was found to work where WebSocket did not. */
  readonly blocked: boolean;
  /** Own changes that the server has not called durable on this connection, by the provider's count. */
  readonly unsaved: number;
  /** They have been so for long enough to be worth a word. */
  readonly slow: boolean;
  /** Nothing was acknowledged for far too long. */
  readonly stalled: Stall | null;
  /** Own transactions since everything was last durable; the number that people are told in trouble. */
  readonly kept: number;
}

export type Event =
  | Exclude<ConnectionEvent, { readonly type: "came" }>
  | { readonly type: "copy-loaded"; readonly hasContent: boolean; readonly kept: number }
  /** The browser stores nothing, from the beginning or from now on. */
  | { readonly type: "copy-refused" }
  /** It stores again, and has everything. */
  | { readonly type: "copy-stored" }
  /** The content came by another way than the socket and the copy. */
  | { readonly type: "read" }
  | { readonly type: "local-change" }
  /** The first answer will be of about so many bytes. */
  | { readonly type: "expected"; readonly bytes: number }
  /** So many bytes of the first answer came. `shows` says that what is in the document by now can be shown for what it is. */
  | { readonly type: "received"; readonly bytes: number; readonly shows: boolean }
  /** The first answer takes long enough to be worth a word. */
  | { readonly type: "lasts" }
  /** Another tab of this browser made a change, which is here by now, and counted if it has to be sent. */
  | { readonly type: "change-elsewhere" }
  /** Everything that is known here is durable: another tab has seen to it. */
  | { readonly type: "durable-elsewhere" }
  /** Changes have waited for their acknowledgement for a while. */
  | { readonly type: "waited" }
  /** None of them was acknowledged for far too long. */
  | { readonly type: "stalled"; readonly why: Stall }
  /** Asked by HTTP while no socket would open: the server is there. */
  | { readonly type: "blocked" }
  | { readonly type: "network"; readonly network: "up" | "down" };

/** After so many fruitless attempts the word changes from "reconnecting" to "offline". */
export const PATIENCE = 3;

export const START: Facts = {
  link: { phase: "idle" },
  copy: "loading",
  network: "up",
  coming: { received: 0, total: null, shows: false, lasts: false },
  access: "write",
  failures: 0,
  everLive: false,
  read: false,
  everOpened: false,
  blocked: false,
  unsaved: 0,
  slow: false,
  stalled: null,
  kept: 0,
};

export function step(facts: Facts, event: Event): Facts {
  switch (event.type) {
    case "copy-loaded":
      // Changes made before the copy was read are in `facts.kept` already; those of earlier visits are added.
      return { ...facts, copy: event.hasContent ? "present" : "empty", kept: facts.kept + event.kept };
    case "copy-refused":
      return { ...facts, copy: "refused" };
    case "copy-stored":
      return { ...facts, copy: "present" };
    case "read":
      return { ...facts, read: true };
    case "expected":
      return { ...facts, coming: { ...facts.coming, total: event.bytes } };
    case "received":
      return { ...facts, coming: { ...facts.coming, received: facts.coming.received + event.bytes, shows: facts.coming.shows || event.shows } };
    case "lasts":
      return { ...facts, coming: { ...facts.coming, lasts: true } };
    case "connecting":
      return { ...facts, link: { phase: "connecting" } };
    case "opened":
      return { ...facts, link: { phase: "syncing" }, everOpened: true, blocked: false };
    case "synced":
      return settled({ ...facts, link: { phase: "live" }, failures: 0, everLive: true });
    case "unsaved":
      return settled({
        ...facts,
        unsaved: event.count,
        slow: facts.slow && event.count > 0,
        // One acknowledgement is enough: it stores again.
        stalled: event.count > 0 && event.count >= facts.unsaved ? facts.stalled : null,
      });
    case "waited":
      return { ...facts, slow: facts.unsaved > 0 };
    case "stalled":
      return { ...facts, stalled: facts.unsaved > 0 ? event.why : null };
    case "allowed":
      return { ...facts, access: event.access };
    case "closed":
      // A refusal is final: the socket that brought it is closed too, and that must not look like an accident.
      if (facts.link.phase === "refused") return facts;
      return { ...facts, link: { phase: "lost" }, slow: false, stalled: null, failures: facts.link.phase === "live" ? 0 : facts.failures + 1 };
    case "refused":
      return { ...facts, link: { phase: "refused", why: event.why }, slow: false, stalled: null };
    case "local-change":
      return { ...facts, kept: facts.kept + 1 };
    case "change-elsewhere":
      // The server may have known it, and told us, before that tab did.
      return settled({ ...facts, kept: facts.kept + 1 });
    case "durable-elsewhere":
      return { ...facts, kept: 0 };
    case "blocked":
      return { ...facts, blocked: true };
    case "network":
      return { ...facts, network: event.network };
  }
}

/** Once in step and nothing unacknowledged, everything that ever waited is durable. */
function settled(facts: Facts): Facts {
  return facts.link.phase === "live" && facts.unsaved === 0 ? { ...facts, kept: 0 } : facts;
}

export function statusOf(facts: Facts): Status {
  const { link, kept } = facts;
  if (link.phase === "refused") return refused(link.why, kept, isFilled(facts));
  if (link.phase === "live") {
    if (facts.access === "read") return { kind: "read-only" };
    if (facts.unsaved === 0) return { kind: "saved" };
    return facts.stalled === null ? { kind: "saving", slow: facts.slow } : { kind: facts.stalled, kept };
  }
  const troubled = facts.failures >= PATIENCE || facts.network === "down";
  if (facts.blocked && !facts.everOpened) return { kind: "no-websocket", readable: isFilled(facts) };
  const readable = isFilled(facts) || isShown(facts);
  if (isLoading(facts) && !troubled) return { kind: "loading", percent: percentOf(facts.coming), readable, kept };
  if (!readable) return troubled && facts.failures > 0 ? { kind: "unreachable" } : { kind: "opening" };
  if (troubled) return { kind: "offline", kept };
  if (facts.everLive || facts.failures > 0 || !isFilled(facts)) return { kind: "reconnecting", kept };
  return { kind: "cached", kept };
}

/** Whether there is content to show. A page never filled must not be taken for an empty document. */
export function isFilled(facts: Facts): boolean {
  return facts.copy === "present" || facts.everLive || facts.read;
}

/** Whether a part of it is shown: once that is so, it stays. */
function isShown({ coming }: Facts): boolean {
  return coming.lasts && coming.shows;
}

/** Less than this is no news: a line is kept alive by less. In bytes. */
const SOMETHING = 16 * 1024;

function isLoading({ link, everLive, coming }: Facts): boolean {
  return coming.lasts && !everLive && coming.received >= SOMETHING && link.phase !== "lost";
}

/** Never all of it: that is said by whoever sends it. */
function percentOf({ received, total }: Coming): number | null {
  return total === null || total === 0 ? null : Math.min(99, Math.floor((received / total) * 100));
}

function refused(why: Refusal, kept: number, readable: boolean): Status {
  switch (why.kind) {
    case "gone":
      return { kind: "gone", kept };
    case "denied":
      return { kind: "denied", reason: why.reason, kept };
    case "change":
      return { kind: "change-refused", reason: why.reason, kept };
    case "full":
      return { kind: "full", kept, readable };
    case "too-large":
      return { kind: "too-large", kept };
  }
}

/** Whether there is a document to show. */
export function isReadable(status: Status): boolean {
  switch (status.kind) {
    case "cached":
    case "saved":
    case "saving":
    case "not-stored":
    case "unconfirmed":
    case "reconnecting":
    case "offline":
    case "read-only":
    case "too-large":
      return true;
    case "no-websocket":
    case "full":
    case "loading":
      return status.readable;
    case "opening":
    case "unreachable":
    case "denied":
    case "change-refused":
    case "gone":
      return false;
  }
}

/** Whether what is shown may be changed. What is changed without a line is kept on this device. */
export function isEditable(status: Status): boolean {
  return isReadable(status) && status.kind !== "read-only" && status.kind !== "no-websocket" && status.kind !== "full";
}

/** Whether the others are there, and hear at once. */
export function isLive(status: Status): boolean {
  return status.kind === "saved" || status.kind === "saving" || isStalled(status) || status.kind === "read-only";
}

/** Whether the server is there and takes changes without storing them. */
export function isStalled(status: Status): status is Extract<Status, { kind: Stall }> {
  return status.kind === "not-stored" || status.kind === "unconfirmed";
}

/** Whether changes live in this tab only: closing it now would lose them. */
export function isOnlyInThisTab(facts: Facts): boolean {
  const waits = facts.link.phase === "live" ? facts.unsaved > 0 && facts.slow : facts.kept > 0;
  return facts.copy === "refused" && waits;
}
