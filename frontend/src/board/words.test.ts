import { expect, test } from "vitest";
import { generator } from "../testing/random";
import { caretAfter, carried, editsBetween, sameWords } from "./words";

test("both keep what they wrote, wherever that is", () => {
  expect(carried("Base", "Base by Ann", "Base by Bo")).toBe("Base by Bo by Ann");
  expect(carried("one two three", "one two four", "zero one two three")).toBe("zero one two four");
  expect(carried("one two three", "zero one two three", "one two four")).toBe("zero one two four");
  expect(carried("one big red house", "one house", "one big old red house")).toBe("one old house");
  expect(carried("one two three", "", "one two big three")).toBe("big ");
  expect(carried("one two three", "XYZ", "")).toBe("XYZ");
  expect(carried("Base", "A Base Z", "B Base Y")).toBe("B A Base Y Z");
});

test("where only one changed it, that is what it becomes", () => {
  expect(carried("a", "ab", "a")).toBe("ab");
  expect(carried("a", "a", "ab")).toBe("ab");
  expect(carried("a", "ab", "ab")).toBe("ab");
});

const SEED = process.env["SEED"] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env["SEED"]);

test(`whatever two write, no letter of either is lost and none is doubled, seed ${SEED}`, () => {
  const random = generator(SEED);
  const below = (count: number): number => Math.floor(random() * count);
  const edit = (text: string, letters: string): string => {
    const at = below(text.length + 1);
    return text.slice(0, at) + letters.slice(0, 1 + below(letters.length)) + text.slice(at + below(4));
  };
  for (let round = 0; round < 3_000; round += 1) {
    const base = "abcdefghij".slice(0, below(11));
    const [ours, theirs] = [edit(base, "XYZ"), edit(base, "UVW")];
    const merged = carried(base, ours, theirs);
    const letters = (text: string, of: RegExp): string => text.replace(of, "");
    expect([base, ours, theirs, letters(merged, /[^X-Z]/g)]).toEqual([base, ours, theirs, letters(ours, /[^X-Z]/g)]);
    expect([base, ours, theirs, letters(merged, /[^U-W]/g)]).toEqual([base, ours, theirs, letters(theirs, /[^U-W]/g)]);
    expect([base, ours, theirs, letters(merged, /[^a-j]/g)]).toEqual([base, ours, theirs, [...base].filter((letter) => ours.includes(letter) && theirs.includes(letter)).join("")]);
  }
});

test("a caret stays among the words it was in", () => {
  const moved = (marked: string, to: string): string => {
    const at = caretAfter(editsBetween(marked.replace("|", ""), to), marked.indexOf("|"));
    return `${to.slice(0, at)}|${to.slice(at)}`;
  };
  expect(moved("Base|", "The Base")).toBe("The Base|");
  expect(moved("Base|", "Base by Bo")).toBe("Base| by Bo");
  expect(moved("Base by| Ann", "Ann")).toBe("|Ann");
  expect(moved("Base b|y Ann", "The Base y Ann, Bo")).toBe("The Base |y Ann, Bo");
});

test("the same words broken into other lines are the same words", () => {
  expect(sameWords("buy wool today", "buy wool\ntoday")).toBe(true);
  expect(sameWords("buy wool", "buy woolly")).toBe(false);
});
