// Stories of a document's status: what happened, and what the person read afterwards.
import { expect, test } from "vitest";
import { START, isOnlyInThisTab, isReadable, statusOf, step, type Event, type Facts } from "./status";

const after = (...events: Event[]): Facts => events.reduce(step, START);
const said = (...events: Event[]): string => {
  const status = statusOf(after(...events));
  return "kept" in status ? `${status.kind} ${status.kept}` : status.kind;
};

const fresh: Event = { type: "copy-loaded", hasContent: false, kept: 0 };
const known: Event = { type: "copy-loaded", hasContent: true, kept: 0 };
const connecting: Event = { type: "connecting" };
const opened: Event = { type: "opened" };
const synced: Event = { type: "synced" };
const closed: Event = { type: "closed" };
const typed: Event = { type: "local-change" };
const down: Event = { type: "network", network: "down" };
const up: Event = { type: "network", network: "up" };
const failed = [connecting, closed];

test("a first visit opens, then is connected", () => {
  expect(said()).toBe("opening");
  expect(said(fresh, connecting, opened)).toBe("opening");
  expect(said(fresh, connecting, opened, synced)).toBe("connected");
});

test("a return visit shows the copy at once", () => {
  expect(said(known)).toBe("cached");
  expect(said(known, connecting, opened)).toBe("cached");
  expect(said(known, connecting, opened, synced)).toBe("connected");
});

test("a lost socket is reconnected, and changes are counted from the first one", () => {
  const live = [fresh, connecting, opened, synced];
  expect(said(...live, typed, closed)).toBe("reconnecting 0");
  expect(said(...live, closed, typed, typed)).toBe("reconnecting 2");
  expect(said(...live, closed, typed, connecting, opened, typed)).toBe("reconnecting 2");
  expect(said(...live, closed, typed, connecting, opened, synced)).toBe("connected");
});

test("three fruitless attempts are called offline, and one success ends that", () => {
  const lost = [fresh, connecting, opened, synced, closed];
  expect(said(...lost, ...failed, ...failed)).toBe("reconnecting 0");
  expect(said(...lost, ...failed, ...failed, ...failed)).toBe("offline 0");
  expect(said(...lost, ...failed, ...failed, ...failed, connecting, opened, synced, closed)).toBe("reconnecting 0");
});

test("the browser's word that the network is down is believed while not connected", () => {
  expect(said(known, down)).toBe("offline 0");
  expect(said(known, down, up)).toBe("cached");
  // A server on this very machine answers without any network.
  expect(said(known, connecting, opened, synced, down)).toBe("connected");
});

test("without a copy and without a server there is nothing to edit", () => {
  expect(said(fresh, ...failed)).toBe("opening");
  expect(said(fresh, ...failed, ...failed, ...failed)).toBe("unreachable");
  expect(said(fresh, down, ...failed)).toBe("unreachable");
  expect(isReadable(statusOf(after(fresh, down, ...failed)))).toBe(false);
});

test("an accepted socket that never syncs still counts as fruitless", () => {
  const refusedLate = [connecting, opened, closed];
  expect(said(known, ...refusedLate, ...refusedLate, ...refusedLate)).toBe("offline 0");
});

test("the count of kept changes survives a reload", () => {
  const reload: Event = { type: "copy-loaded", hasContent: true, kept: 12 };
  expect(said(reload, ...failed)).toBe("reconnecting 12");
  expect(said(reload, ...failed, typed)).toBe("reconnecting 13");
});

test("an end by the server is final until somebody asks again", () => {
  const live = [fresh, connecting, opened, synced];
  expect(said(...live, { type: "ended", code: 4404 }, closed)).toBe("gone");
  expect(said(...live, { type: "ended", code: 4403 }, closed)).toBe("denied");
  expect(said(...live, { type: "ended", code: 4404 }, closed, connecting, opened, synced)).toBe("connected");
});

test("a browser that cannot store is a danger only while changes wait", () => {
  const refused: Event = { type: "copy-refused" };
  const live = [refused, connecting, opened, synced];
  expect(isOnlyInThisTab(after(...live, typed))).toBe(false);
  expect(isOnlyInThisTab(after(...live, closed))).toBe(false);
  expect(isOnlyInThisTab(after(...live, closed, typed))).toBe(true);
});
