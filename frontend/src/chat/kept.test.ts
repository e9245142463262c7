// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { after, fresh, history, message } from "./fixtures";
import { changed, forgetKept, keyOf, parseKept, readDraft, readKept, releaseKept, writeDraft, writeKept } from "./kept";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

test("what was begun is there after a reload, in this document only, until it is said or forgotten", () => {
  writeDraft("notes", "About the war");
  expect([readDraft("notes"), readDraft("other")]).toEqual(["About the war", ""]);
  writeDraft("notes", "");
  expect(sessionStorage.length).toBe(0);
  writeDraft("notes", "About the warp");
  forgetKept("notes");
  expect(readDraft("notes")).toBe("");
});

test("what waits and what was said come back as they were", () => {
  const before = fresh();
  const then = after(before, history([message(1, "Bo")]), { type: "say", id: "one-waiting", text: "hi", now: 5 }, { type: "read" });
  writeKept("notes", changed(readKept("notes"), before, then));
  expect(readKept("notes")).toEqual({ waiting: [{ id: "one-waiting", text: "hi", at: 5, refused: null }], read: message(1, "Bo").id, said: [message(1, "Bo")] });
  forgetKept("notes");
  expect(localStorage.getItem(keyOf("notes"))).toBe(null);
});

test("two tabs write into one record, and neither takes away what the other wrote", () => {
  const start = fresh();
  const say = (id: string) => ({ type: "say", id, text: id, now: 5 }) as const;
  const [one, other] = [after(start, say("one-waiting")), after(start, say("two-waiting"))];
  let kept = changed(changed(readKept("notes"), start, one), start, other);
  expect(kept.waiting.map(({ id }) => id)).toEqual(["one-waiting", "two-waiting"]);
  kept = changed(kept, one, after(one, { type: "drop", id: "one-waiting" }));
  expect(kept.waiting.map(({ id }) => id)).toEqual(["two-waiting"]);
});

test("what lies elsewhere by now is taken out, but not what was changed meanwhile, nor anything else", () => {
  const waits = (id: string, refused: string | null = null) => ({ id, text: id, at: 5, refused });
  const before = { waiting: [waits("one-waiting"), waits("two-waiting", "too_long"), waits("three-waiting")], read: "r", said: [message(1, "Bo")] };
  writeKept("notes", before);
  releaseKept("notes", [waits("one-waiting"), waits("two-waiting"), waits("four-waiting")]);
  expect(readKept("notes")).toEqual({ ...before, waiting: before.waiting.slice(1) });
});

test("a long conversation is remembered from its end, within bounds", () => {
  const long = [message(1, "Bo", "x".repeat(9_000)), message(2, "Bo", "y".repeat(15_000)), message(3, "Bo", "z")];
  const state = after(fresh(), history(long));
  expect(changed(readKept("notes"), fresh(), state).said).toEqual(long.slice(1));
  const many = Array.from({ length: 40 }, (_, number) => message(number, "Bo"));
  expect(changed(readKept("notes"), fresh(), after(fresh(), history(many))).said).toEqual(many.slice(10));
});

test("a record that is not ours is nothing", () => {
  for (const text of [null, "{", "7", "[]", '{"waiting":7,"said":{},"read":7}', '{"waiting":[{"id":1}],"said":[{"id":"x"}]}']) {
    expect(parseKept(text)).toEqual({ waiting: [], read: null, said: [] });
  }
});
