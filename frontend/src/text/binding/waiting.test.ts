// What waits while somebody composes: only their line, whatever others do to it and around it.
import { expect, test } from "vitest";
import { Doc, Map as YMap, type Text as YText } from "yjs";
import { changed, type Delta, type Line, linesOf } from "./sequence";
import { holding, joinedAt, movedTo, SAME, written } from "./waiting";

const boundary = (type = "paragraph") => new YMap<unknown>([["type", type]]);
const words = (lines: readonly Line[]): readonly string[] => lines.map(({ runs }) => runs.map((run) => ("text" in run ? run.text : "")).join(""));

/** The lines `one`, `two` and `three`, the middle one composed in, after what somebody else does. */
function during(act: (text: YText) => void, content: readonly (string | null)[] = [null, "one", null, "two", null, "three"]) {
  const text = new Doc().getText("body");
  text.applyDelta(content.map((part) => ({ insert: part ?? boundary() })));
  const before = linesOf(text);
  let delta: Delta = [];
  text.observe((event) => (delta = event.delta as Delta));
  text.doc?.transact(() => act(text));
  const { lines, kept } = changed(before, delta);
  return { text, before, lines, kept };
}

const CASES: readonly (readonly [string, (text: YText) => void, readonly string[]])[] = [
  ["written in it", (text) => text.insert(6, "X"), ["one", "two", "three"]],
  ["written in another", (text) => text.insert(2, "X"), ["oXne", "two", "three"]],
  ["split", (text) => text.insertEmbed(6, boundary()), ["one", "two", "three"]],
  ["joined to the one above", (text) => text.delete(4, 1), ["one", "two", "three"]],
  ["deleted", (text) => text.delete(4, 4), ["one", "two", "three"]],
  ["written on above and joined to that", (text) => (text.insert(4, "!"), text.delete(5, 4)), ["one!", "two", "three"]],
  ["joined to the one above and written on there", (text) => (text.delete(4, 4), text.insert(4, "!")), ["one!", "two", "three"]],
  ["a line before and one behind", (text) => (text.insertEmbed(8, boundary()), text.insert(9, "new"), text.insertEmbed(0, boundary()), text.insert(1, "first")), ["first", "one", "two", "new", "three"]],
];

test.each(CASES)("the line is as it was: %s", (_name, act, expected) => {
  const { before, lines, kept } = during(act);
  const held = holding({ lines: before, kept }, lines, [4, 8]);
  expect(held === null ? null : words(held.lines)).toEqual(expected);
  expect(held?.lines.find((line) => line === before[1])).toBeDefined();
});

test("a line that was joined to the one above begins behind what was written on there, and before what is left of it", () => {
  const on = during((text) => (text.delete(4, 1), text.insert(4, "!")));
  expect(words(on.lines)).toEqual(["one!two", "three"]);
  expect(holding({ lines: on.before, kept: on.kept }, on.lines, [4, 8])?.kept.find(({ was }) => was === 6)?.is).toBe(5);
  expect(joinedAt(on.kept, 4, on.lines)).toBe(5);
});

test("where the next line was joined to it, all waits", () => {
  const { before, lines, kept } = during((text) => text.delete(8, 1));
  expect(holding({ lines: before, kept }, lines, [4, 8])).toBeNull();
});

test("words before the first line that no boundary begins wait with it", () => {
  const { before, lines, kept } = during((text) => text.insert(0, "Bo: "), ["word"]);
  expect(words(holding({ lines: before, kept }, lines, [0, 4])?.lines ?? [])).toEqual(["word"]);
});

test("what is written in what is shown is in both, in its place", () => {
  const { before, lines, kept, text } = during((one) => one.insert(5, "XX"));
  const held = holding({ lines: before, kept }, lines, [4, 8]);
  if (held === null) return expect.fail("nothing is held");
  const heard: Delta = [{ retain: 9 }, { insert: "!" }];
  text.applyDelta(heard as never);
  const next = written(held, [{ retain: 7 }, { insert: "!", attributes: {} }], heard);
  expect(words(next?.lines ?? [])).toEqual(["one", "tw!o", "three"]);
  expect(next?.kept.flatMap(({ was, is, length }) => (was <= 7 && 7 < was + length ? [is + 7 - was] : []))).toEqual([9]);
  expect(SAME).toHaveLength(1);
});

test("where a place is now is found by looking at some of what stayed", () => {
  let looked = 0;
  const places = Array.from({ length: 1000 }, (_, at) => ({ was: at * 3, is: (1000 - at) * 5, length: 2 }));
  const kept = new Proxy(places, {
    get: (all, key, ...rest): unknown => {
      if (typeof key === "string" && /^\d+$/.test(key)) looked += 1;
      return Reflect.get(all, key, ...rest);
    },
  });
  const found = Array.from({ length: 3003 }, (_, index) => movedTo(kept, index));
  expect(found).toEqual(Array.from({ length: 3003 }, (_, index) => (index % 3 === 2 || index >= 3000 ? null : (1000 - Math.floor(index / 3)) * 5 + (index % 3))));
  expect(looked / 3003).toBeLessThan(15);
});
