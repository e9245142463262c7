import { expect, test } from "vitest";
import { after, ANN, fault, fresh, history, message, person, says } from "./fixtures";
import { nameMessage } from "./protocol";
import { due, next, unread, WRITING, type Event, type State } from "./state";

const own = nameMessage(ANN, "#0e7490");
const say = (id: string, text = "hello"): Event => ({ type: "say", id, text, now: 5 });
const move = (type: "join" | "leave", name: string): Event => ({ type: "heard", heard: { type, person: person(name) }, now: 0 });
const texts = (state: State): readonly string[] => state.said.map(({ text }) => text);
const lost: Event = { type: "closed", code: 1006 };

test("what is written without a line waits, goes out in order, one at a time, and is there once", () => {
  let state = after(fresh(), say("one-waiting"), say("two-waiting"));
  expect(next(state, 9)).toBe(null);
  state = after(state, { type: "connecting" }, history([]));
  expect(next(state, 9)?.id).toBe("one-waiting");
  state = after(state, { type: "sent", id: "one-waiting" });
  expect(next(state, 9)).toBe(null);

  // The line breaks before the confirmation: the same name goes out again, and the server knows it.
  state = after(state, lost, { type: "connecting" }, history([message(1, "Ann", "hello", "one-waiting")]));
  expect(state.waiting.map(({ id }) => id)).toEqual(["two-waiting"]);
  state = after(state, { type: "sent", id: "two-waiting" }, says(message(2, "Ann", "hello", "two-waiting")));
  // Repeated to us alone, because it had been sent twice.
  state = after(state, says(message(2, "Ann", "hello", "two-waiting")));
  expect(state.waiting).toEqual([]);
  expect(texts(state)).toEqual(["hello", "hello"]);
});

test("what waits is in the order in which it was written, also by a clock that stands or goes back", () => {
  const { waiting } = after(fresh(), { ...say("one-waiting"), now: 9 } as Event, say("two-waiting"), say("three-waiting"));
  expect(waiting.map(({ id, at }) => [id, at])).toEqual([["one-waiting", 9], ["two-waiting", 10], ["three-waiting", 11]]);
});

test("a gap in what was heard is closed by asking again, not by leaving it out", () => {
  const before = after(fresh(), history([message(1, "Bo"), message(2, "Bo")]), move("join", "Cy"));
  expect(before.past).toBe("none");
  // More than fifty messages were said while the line was down.
  const apart = after(before, lost, history([message(60, "Bo"), message(61, "Bo")], true));
  expect(texts(apart)).toEqual(["message 60", "message 61"]);
  expect([apart.past, apart.comings]).toEqual(["more", []]);
  const joined = after(before, lost, history([message(2, "Bo"), message(3, "Bo")], true));
  expect(texts(joined)).toEqual(["message 1", "message 2", "message 3"]);
  expect(joined.past, "the beginning was known already").toBe("none");
});

test("what this device remembers is shown at once, and given up for what the server says", () => {
  const kept = fresh({ said: [message(1, "Bo"), message(2, "Bo")] });
  expect(texts(kept)).toEqual(["message 1", "message 2"]);
  const later = after(kept, history([message(2, "Bo"), message(3, "Bo")], true));
  expect([texts(later), later.past]).toEqual([["message 1", "message 2", "message 3"], "more"]);
  expect(texts(after(kept, history([message(3, "Bo")]))), "another document of this name").toEqual(["message 3"]);
});

test("older pages come before, without doubles, and a page that failed can be asked for again", () => {
  let state = after(fresh(), history([message(5, "Bo")], true), { type: "older" }, { type: "page-failed" });
  expect(state.past).toBe("failed");
  state = after(state, { type: "older" }, says(message(6, "Bo")), { type: "page", messages: [message(3, "Bo"), message(4, "Bo")], more: false });
  expect([texts(state), state.past]).toEqual([["message 3", "message 4", "message 5", "message 6"], "none"]);
  expect(after(state, { type: "older" }, lost).past, "nobody waits for an answer that will not come").toBe("more");
});

test("messages that overtake each other stand in the server's order", () => {
  const state = after(fresh(), history([message(1, "Bo")]), says(message(3, "Bo")), says(message(2, "Cy")));
  expect(texts(state)).toEqual(["message 1", "message 2", "message 3"]);
});

test("too many at once: the server is left alone for a while that grows, and nothing is lost or overtaken", () => {
  let state = after(fresh(), history([]), say("one-waiting"), say("two-waiting"), { type: "sent", id: "one-waiting" });
  state = after(state, fault("rate_limited", "one-waiting", 1_000));
  expect([next(state, 1_999), due(state)]).toEqual([null, 2_000]);
  state = after(state, { type: "time", now: 2_000 });
  expect([next(state, 2_000)?.id, due(state)]).toEqual(["one-waiting", null]);
  state = after(state, { type: "sent", id: "one-waiting" }, fault("rate_limited", null, 2_000));
  expect(due(state)).toBe(4_000);
  for (let times = 0; times < 9; times++) state = after(state, { type: "time", now: 1e9 }, fault("store_unwritable", "one-waiting", 1e9));
  expect(due(state)).toBe(1e9 + 30_000);
  state = after(state, { type: "time", now: 2e9 }, { type: "sent", id: "one-waiting" }, says(message(1, "Ann", "hello", "one-waiting")));
  expect([state.held, next(state, 2e9)?.id]).toEqual([null, "two-waiting"]);
});

test("a message the server will not have says why and holds up no other", () => {
  let state = after(fresh(), history([]), say("one-waiting"), say("two-waiting"), { type: "sent", id: "one-waiting" });
  state = after(state, fault("chat_full", "one-waiting"));
  expect(state.waiting[0]?.refused).toBe("chat_full");
  expect(next(state, 9)?.id).toBe("two-waiting");
  state = after(state, { type: "again", id: "one-waiting" });
  expect(next(state, 9)?.id).toBe("one-waiting");
  expect(after(state, { type: "drop", id: "one-waiting" }).waiting.map(({ id }) => id)).toEqual(["two-waiting"]);
});

test("a message too large for a frame costs the line once, not for ever", () => {
  const state = after(fresh(), history([]), say("one-waiting"), { type: "sent", id: "one-waiting" }, { type: "closed", code: 1009 }, history([]));
  expect(state.waiting[0]?.refused).toBe("too_long");
  expect(next(state, 9)).toBe(null);
});

test("unread is what others said after the last message that was read here", () => {
  let state = after(fresh(), history([message(1, "Bo"), message(2, "Ann", "mine", own), message(3, "Bo")]));
  expect(unread(state)).toBe(2);
  state = after(state, { type: "read" });
  expect(unread(state)).toBe(0);
  state = after(state, says(message(4, "Ann", "mine too", nameMessage(ANN, "#15803d"))), says(message(5, "Cy")));
  expect(unread(state)).toBe(1);
  expect(unread(after(state, { type: "elsewhere", waiting: [], read: message(5, "Cy").id })), "read in another tab").toBe(0);
  expect(after(state, { type: "elsewhere", waiting: [], read: message(1, "Bo").id }).read, "never backwards").toBe(state.read);
});

test("another tab sent what waited: it is not sent again", () => {
  const state = after(fresh(), history([]), say("one-waiting"), { type: "sent", id: "one-waiting" }, { type: "elsewhere", waiting: [], read: null });
  expect([state.sending, next(state, 9)]).toEqual([null, null]);
});

test("who writes is shown until they say something, stop, go, or fall silent", () => {
  const typing = (name: string, typing: boolean, now: number): Event => ({ type: "heard", heard: { type: "typing", person: person(name), typing }, now });
  const names = (state: State): readonly string[] => state.writers.map(({ name }) => name);
  const both = after(fresh(), history([]), typing("Bo", true, 0), typing("Cy", true, 100), typing("Bo", true, 200));
  expect(names(both)).toEqual(["Cy", "Bo"]);
  expect(due(both)).toBe(100 + WRITING);
  expect(names(after(both, { type: "time", now: 100 + WRITING }))).toEqual(["Bo"]);
  expect(names(after(both, says(message(1, "Bo"))))).toEqual(["Cy"]);
  expect(names(after(both, typing("Cy", false, 300)))).toEqual(["Bo"]);
  expect(names(after(both, move("leave", "Cy")))).toEqual(["Bo"]);
  expect(names(after(both, lost))).toEqual([]);
});

test("one tab of several that closes, or opens, is nobody's coming or going", () => {
  const tab = (type: "join" | "leave", session: string): Event => ({ type: "heard", heard: { type, person: person("Bo", session) }, now: 0 });
  const one = after(fresh(), history([message(1, "Bo")]), tab("join", "first"), says(message(2, "Bo")));
  const two = after(one, tab("join", "second"), tab("leave", "first"));
  expect(two.comings).toEqual(one.comings);
  expect(after(two, tab("leave", "second")).comings.at(-1)).toEqual({ after: message(2, "Bo").id, joined: [], left: ["Bo"] });
});

test("comings and goings between two messages are one notice, and who only reloaded is in none", () => {
  const state = after(fresh(), history([message(1, "Bo")]), move("join", "Cy"), move("join", "Di"), move("leave", "Bo"), move("leave", "Cy"));
  expect(state.comings).toEqual([{ after: message(1, "Bo").id, joined: ["Di"], left: ["Bo"] }]);
  expect(after(state, move("join", "Bo"), move("leave", "Di")).comings).toEqual([]);
  const later = after(state, says(message(2, "Di")), move("join", "Ed"), move("join", "Ann"));
  expect(later.comings.at(-1)).toEqual({ after: message(2, "Di").id, joined: ["Ed"], left: [] });
});
