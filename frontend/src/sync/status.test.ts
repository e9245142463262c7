// Stories of a document's status: what happened, and what the person read afterwards.
import { expect, test } from "vitest";
import { START, isEditable, isLive, isOnlyInThisTab, isReadable, statusOf, step, type Event, type Facts } from "./status";

const after = (...events: Event[]): Facts => events.reduce(step, START);
const said = (...events: Event[]): string => {
  const status = statusOf(after(...events));
  if (status.kind === "saving") return status.slow ? "saving" : "just sent";
  return "kept" in status && status.kept > 0 ? `${status.kind} ${status.kept}` : status.kind;
};

const fresh: Event = { type: "copy-loaded", hasContent: false, kept: 0 };
const known: Event = { type: "copy-loaded", hasContent: true, kept: 0 };
const connecting: Event = { type: "connecting" };
const opened: Event = { type: "opened" };
const synced: Event = { type: "synced" };
const unsaved = (count: number): Event => ({ type: "unsaved", count });
/** What a healthy socket brings: the provider counts its own answer until that is acknowledged. */
const live: readonly Event[] = [connecting, opened, unsaved(1), synced, unsaved(0)];
const closed: Event = { type: "closed", code: 1006 };
const typed: Event = { type: "local-change" };
const down: Event = { type: "network", network: "down" };
const up: Event = { type: "network", network: "up" };
const failed = [connecting, closed];

test("a first visit opens, then is saved", () => {
  expect(said()).toBe("opening");
  expect(said(fresh, connecting, opened)).toBe("opening");
  expect(said(fresh, ...live)).toBe("saved");
});

test("a return visit shows the copy at once", () => {
  expect(said(known)).toBe("cached");
  expect(said(known, connecting, opened)).toBe("cached");
  expect(said(known, ...live)).toBe("saved");
});

test("saved is said only when the server has called everything durable", () => {
  expect(said(fresh, connecting, opened, unsaved(1), synced)).toBe("just sent");
  expect(said(fresh, ...live, typed, unsaved(1))).toBe("just sent");
  expect(said(fresh, ...live, typed, unsaved(1), { type: "waited" })).toBe("saving");
  expect(said(fresh, ...live, typed, unsaved(1), { type: "waited" }, typed, unsaved(2), unsaved(1))).toBe("saving");
  expect(said(fresh, ...live, typed, unsaved(1), { type: "waited" }, unsaved(0))).toBe("saved");
  // Late news about what is saved already.
  expect(said(fresh, ...live, { type: "waited" }, typed, unsaved(1))).toBe("just sent");
});

test("a server that takes changes and stores none is named, with their number, until it acknowledges one", () => {
  const stalled = (why: "not-stored" | "unconfirmed"): Event => ({ type: "stalled", why });
  const waiting = [fresh, ...live, typed, unsaved(1), typed, unsaved(2), { type: "waited" } as const];
  expect(said(...waiting, stalled("not-stored"))).toBe("not-stored 2");
  expect(said(...waiting, stalled("unconfirmed"), typed, unsaved(3))).toBe("unconfirmed 3");
  expect(said(...waiting, stalled("not-stored"), unsaved(1))).toBe("saving");
  expect(said(...waiting, stalled("not-stored"), unsaved(1), unsaved(0))).toBe("saved");
  // The next silence is a new one, and a lost line a different trouble.
  expect(said(...waiting, stalled("not-stored"), unsaved(0), typed, unsaved(1))).toBe("just sent");
  expect(said(...waiting, stalled("not-stored"), closed)).toBe("reconnecting 2");
  expect(said(...waiting, stalled("not-stored"), closed, connecting, opened, unsaved(1), synced)).toBe("just sent");
  expect(said(fresh, ...live, stalled("not-stored"), typed, unsaved(1))).toBe("just sent");
  const status = statusOf(after(...waiting, stalled("not-stored")));
  expect([isEditable(status), isReadable(status), isLive(status)]).toEqual([true, true, true]);
});

test("after a reconnect everything counts as unsaved until the answer to the server is acknowledged", () => {
  const lost = [fresh, ...live, typed, unsaved(1), closed, typed];
  expect(said(...lost)).toBe("reconnecting 2");
  expect(said(...lost, connecting, opened, unsaved(1), synced)).toBe("just sent");
  expect(said(...lost, connecting, opened, unsaved(1), synced, closed)).toBe("reconnecting 2");
  expect(said(...lost, ...live)).toBe("saved");
  expect(said(...lost, ...live, closed)).toBe("reconnecting");
});

test("a lost socket is reconnected, and changes are counted from the first that is not durable", () => {
  expect(said(fresh, ...live, closed, typed, typed)).toBe("reconnecting 2");
  expect(said(fresh, ...live, typed, unsaved(1), closed)).toBe("reconnecting 1");
  expect(said(fresh, ...live, typed, unsaved(1), unsaved(0), closed)).toBe("reconnecting");
});

test("three fruitless attempts are called offline, and one success ends that", () => {
  const lost = [fresh, ...live, closed];
  expect(said(...lost, ...failed, ...failed)).toBe("reconnecting");
  expect(said(...lost, ...failed, ...failed, ...failed)).toBe("offline");
  expect(said(...lost, ...failed, ...failed, ...failed, ...live, closed)).toBe("reconnecting");
});

test("the browser's word that the network is down is believed while not connected", () => {
  expect(said(known, down)).toBe("offline");
  expect(said(known, down, up)).toBe("cached");
  // A server on this very machine answers without any network.
  expect(said(known, ...live, down)).toBe("saved");
});

test("without a copy and without a server there is nothing to edit", () => {
  expect(said(fresh, ...failed)).toBe("opening");
  expect(said(fresh, ...failed, ...failed, ...failed)).toBe("unreachable");
  expect(said(fresh, down, ...failed)).toBe("unreachable");
  expect(isReadable(statusOf(after(fresh, down, ...failed)))).toBe(false);
});

test("an accepted socket that never syncs still counts as fruitless", () => {
  const refusedLate = [connecting, opened, closed];
  expect(said(known, ...refusedLate, ...refusedLate, ...refusedLate)).toBe("offline");
});

test("the count of kept changes survives a reload", () => {
  const reload: Event = { type: "copy-loaded", hasContent: true, kept: 12 };
  expect(said(reload)).toBe("cached 12");
  expect(said(reload, ...failed)).toBe("reconnecting 12");
  expect(said(reload, ...failed, typed)).toBe("reconnecting 13");
  expect(said(reload, ...live)).toBe("saved");
});

test("a refusal is final until somebody asks again", () => {
  const gone: Event = { type: "refused", why: { kind: "gone" } };
  expect(said(fresh, ...live, gone, closed)).toBe("gone");
  expect(said(fresh, ...live, { type: "refused", why: { kind: "denied", reason: "no" } }, closed)).toBe("denied");
  expect(said(fresh, ...live, { type: "refused", why: { kind: "change", reason: "no" } }, closed)).toBe("change-refused");
  expect(said(fresh, ...live, gone, closed, ...live)).toBe("saved");
});

test("what never reached the server is counted also where it can no longer be sent", () => {
  const kept: readonly Event[] = [known, ...live, closed, typed, typed];
  expect(said(...kept, { type: "refused", why: { kind: "gone" } }, closed)).toBe("gone 2");
  expect(said(...kept, { type: "refused", why: { kind: "denied", reason: "no" } }, closed)).toBe("denied 2");
});

test("a server without room, and a change too large, leave what was written on this device", () => {
  const full: Event = { type: "refused", why: { kind: "full" } };
  expect(said(known, ...live, typed, unsaved(1), full, closed)).toBe("full 1");
  const large: Event = { type: "refused", why: { kind: "too-large" } };
  const facts = after(known, ...live, typed, unsaved(1), closed, large);
  expect(statusOf(facts)).toEqual({ kind: "too-large", kept: 1 });
  expect(isEditable(statusOf(facts))).toBe(true);
});

test("a page that was never filled is not shown as an empty document", () => {
  const full: Event = { type: "refused", why: { kind: "full" } };
  const read: Event = { type: "read" };
  for (const [trouble, kind] of [[[connecting, opened, full, closed], "full"], [[...failed, ...failed, ...failed, { type: "blocked" } as const], "no-websocket"]] as const) {
    expect(said(fresh, ...trouble)).toBe(kind);
    expect([fresh, known].map((copy) => isReadable(statusOf(after(copy, ...trouble))))).toEqual([false, true]);
    // Asked for by HTTP, or brought by another tab, it is.
    expect(isReadable(statusOf(after(fresh, ...trouble, read)))).toBe(true);
    expect(isEditable(statusOf(after(fresh, ...trouble, read)))).toBe(false);
  }
  expect(isEditable(statusOf(after({ type: "copy-refused" }, ...failed, read)))).toBe(true);
});

test("changes of another tab count here too, until either has brought them to the server", () => {
  const theirs: Event = { type: "change-elsewhere" };
  const durable: Event = { type: "durable-elsewhere" };
  expect(said(known, ...live, closed, typed, theirs, theirs)).toBe("reconnecting 3");
  expect(said(known, ...live, closed, typed, theirs, durable)).toBe("reconnecting");
  // What the server already told of is no change to be kept.
  expect(after(known, ...live, theirs).kept).toBe(0);
  expect(after(known, ...live, unsaved(1), theirs).kept).toBe(1);
});

test("a store that fails in the middle of a visit is no store", () => {
  const [refused, stored]: [Event, Event] = [{ type: "copy-refused" }, { type: "copy-stored" }];
  expect(isOnlyInThisTab(after(known, ...live, closed, typed, refused))).toBe(true);
  expect(isOnlyInThisTab(after(known, ...live, closed, typed, refused, stored))).toBe(false);
  expect(said(known, ...live, closed, typed, refused, stored)).toBe("reconnecting 1");
});

test("who may only look is told so, and what cannot be written is not counted as saving", () => {
  const allowed: Event = { type: "allowed", access: "read" };
  expect(said(fresh, connecting, opened, allowed, unsaved(1), synced)).toBe("read-only");
  expect(isEditable(statusOf(after(fresh, allowed, ...live)))).toBe(false);
  expect(said(fresh, allowed, ...live, { type: "allowed", access: "write" })).toBe("saved");
});

test("a network that lets HTTP through and no socket is named", () => {
  const blocked: Event = { type: "blocked" };
  expect(said(known, ...failed, ...failed, ...failed, blocked)).toBe("no-websocket");
  expect(said(known, ...failed, ...failed, ...failed, blocked, ...live)).toBe("saved");
  // Once a socket has opened here, the network is not to blame.
  expect(said(known, ...live, closed, ...failed, ...failed, ...failed, blocked)).toBe("offline");
});

test("a browser that cannot store guards the tab while something would be lost", () => {
  const refused: Event = { type: "copy-refused" };
  expect(isOnlyInThisTab(after(refused, ...live))).toBe(false);
  expect(isOnlyInThisTab(after(refused, ...live, closed, typed))).toBe(true);
  expect(isOnlyInThisTab(after(refused, ...live, typed, unsaved(1), { type: "waited" }))).toBe(true);
  expect(isOnlyInThisTab(after(known, ...live, closed, typed))).toBe(false);
});

test("a first answer that takes long is said to be on its way, and what has come is shown", () => {
  const expected: Event = { type: "expected", bytes: 1_000_000 };
  const part = (bytes: number, shows = false): Event => ({ type: "received", bytes, shows });
  const lasts: Event = { type: "lasts" };
  const status = (...events: Event[]) => statusOf(after(fresh, ...events));
  // Not for what takes less than a moment, nor for a line on which nothing but its life signs come.
  expect(status(connecting, opened, expected, part(500_000, true)).kind).toBe("opening");
  expect(status(connecting, opened, expected, part(100), lasts).kind).toBe("opening");
  expect(status(connecting, opened, part(500_000), lasts)).toEqual({ kind: "loading", percent: null, readable: false, kept: 0 });
  expect(status(expected, part(500_000), lasts, part(9_999))).toEqual({ kind: "loading", percent: 50, readable: false, kept: 0 });
  expect(status(expected, lasts, part(250_000, true), typed, part(1))).toEqual({ kind: "loading", percent: 25, readable: true, kept: 1 });
  // How large it is, is known about.
  expect(status(expected, part(2_000_000, true), lasts)).toMatchObject({ kind: "loading", percent: 99 });
  expect(status(expected, part(2_000_000, true), lasts, { type: "read" }, ...live).kind).toBe("saved");
  for (const event of [part(500_000, true), part(500_000)]) {
    const loading = status(expected, event, lasts);
    expect([isReadable(loading), isEditable(loading), isLive(loading)]).toEqual([event.type === "received" && event.shows, event.type === "received" && event.shows, false]);
  }
  // What is open stays open when the line breaks, and goes on where it was.
  const shown = [expected, lasts, connecting, opened, part(500_000, true)];
  expect(status(...shown, closed).kind).toBe("reconnecting");
  expect(status(...shown, closed, connecting, opened)).toMatchObject({ kind: "loading", percent: 50 });
  expect(status(...shown, down).kind).toBe("offline");
  expect(status(expected, lasts, connecting, opened, part(500_000), closed).kind).toBe("opening");
  // Later reconnects are what they were.
  expect(status(...shown, ...live, closed, connecting, opened, part(500_000)).kind).toBe("reconnecting");
});
