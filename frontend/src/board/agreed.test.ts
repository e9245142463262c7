// What becomes of news about a shape, by what somebody here is doing with it.
import { expect, test } from "vitest";
import { agreedOn, changedSince, newsOf, startOf, type Base, type Doing } from "./agreed";
import type { BoardElement, Fields } from "./element";

const element = (fields: Fields = {}): BoardElement => ({ id: "a", type: "rectangle", version: 1, versionNonce: 1, isDeleted: false, index: "a1", x: 0, y: 0, strokeColor: "red", ...fields });
const base: Base = agreedOn(element(), "a1");
const nothing: Doing = { clean: true, held: false, writing: false, words: null };

/** Of a shape that is `mine` here, and in the document as agreed but for `theirs`. */
function news(mine: Fields, theirs: Fields, doing: Partial<Doing> = {}, agreed = base) {
  return newsOf(element(mine), agreed, { ...agreed.fields, ...theirs }, { ...nothing, ...doing });
}

const none = { shown: {}, agreed: {}, order: "a1", waits: false, retyped: null };

test("what others changed is shown, and agreed on", () => {
  expect(news({}, { x: 5 })).toEqual({ ...none, shown: { x: 5 }, agreed: { x: 5 } });
  expect(news({}, {})).toEqual(none);
});

test("a field that both changed stays as it is here, and is known to be theirs", () => {
  const mine = { version: 2, strokeColor: "blue" };
  expect(news(mine, { strokeColor: "green", x: 5 }, { clean: false })).toEqual({ ...none, shown: { x: 5 }, agreed: { strokeColor: "green", x: 5 } });
});

test("what others took away is taken away here", () => {
  const { shown } = newsOf(element(), base, Object.fromEntries(Object.entries(base.fields).filter(([field]) => field !== "strokeColor")), nothing);
  expect(shown).toEqual({ strokeColor: undefined });
});

test("under a pointer that drags, a place waits and a colour does not", () => {
  const dragged = news({ x: 9 }, { x: 5, strokeColor: "green" }, { clean: false, held: true });
  expect(dragged).toEqual({ ...none, shown: { strokeColor: "green" }, agreed: { strokeColor: "green" }, waits: true });
  // What the pointer has not moved yet takes all.
  expect(news({}, { x: 5 }, { held: true })).toEqual({ ...none, shown: { x: 5 }, agreed: { x: 5 } });
});

test("under a caret the words wait, and are put together with those written here", () => {
  const agreed = agreedOn(element({ type: "text", originalText: "one two", text: "one two" }), "a1");
  const mine = { type: "text", originalText: "one two three", text: "one two three" };
  const written = news(mine, { originalText: "zero one two", text: "zero one two", strokeColor: "green" }, { clean: false, writing: true, words: "zero one two" }, agreed);
  expect(written).toEqual({ ...none, shown: { strokeColor: "green" }, agreed: { strokeColor: "green" }, waits: true, retyped: { theirs: "zero one two", words: "zero one two three" } });
  // Without the caret they wait to be written, as a change of what both knew.
  expect(news(mine, { originalText: "zero one two" }, { clean: false, words: "zero one two" }, agreed)).toEqual({ ...none, waits: true });
});

test("words that others have in hand are shown where no caret is, and do not count where one is", () => {
  const agreed = agreedOn(element({ type: "text", originalText: "one" }), "a1");
  const mine = { type: "text", originalText: "one" };
  const inHand = { originalText: "one two" };
  expect(news(mine, inHand, { words: "one" }, agreed)).toEqual({ ...none, shown: inHand, agreed: inHand });
  expect(news(mine, inHand, { words: "one", writing: true }, agreed)).toEqual(none);
});

test("a shape that was moved up or down here stays there, and what the document says of its place is known", () => {
  expect(news({ index: "a9" }, { index: "a5" }, { clean: false })).toEqual({ ...none, order: "a5" });
  expect(news({}, { index: "a5" })).toEqual({ ...none, shown: { index: "a5" }, agreed: { index: "a5" }, order: "a5" });
});

test("a drag counts from where it began, but for what the view has from others", () => {
  const now = agreedOn(element({ x: 5, y: 5, strokeColor: "green" }), "a1");
  const start = startOf(element({ x: 20, y: 5, strokeColor: "green" }), now, { ...base.fields });
  expect(start).toMatchObject({ x: 0, y: 5, strokeColor: "green" });
  expect([...changedSince(start, element({ x: 20, y: 5, strokeColor: "green" }))]).toEqual([["x", 20]]);
});

test("what belongs to one browser is no change", () => {
  expect([...changedSince(base.fields, element({ version: 7, versionNonce: 3, status: "saved", updated: 9 }))]).toEqual([]);
});
