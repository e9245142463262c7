// What was moved is found again by how it reads.
import { expect, test } from "vitest";
import { Doc, Map as YMap } from "yjs";
import { keptAcross, keptAlong } from "./moved";
import { type Delta, linesOf } from "./sequence";

const BOUNDARY = new YMap<unknown>([["type", "paragraph"]]);

/** The lines of a text in which `|` begins a block. */
function linesIn(letters: string): ReturnType<typeof linesOf> {
  const text = new Doc().getText("body");
  text.applyDelta(letters.split(/(\|)/).flatMap((part) => (part === "" ? [] : [{ insert: part === "|" ? new YMap([["type", "paragraph"]]) : part }])));
  return linesOf(text);
}

const CASES: readonly (readonly [string, string, Delta, readonly (readonly [number, number, number])[]])[] = [
  ["a block, up", "|one|two", [{ insert: BOUNDARY }, { insert: "two" }, { retain: 4 }, { delete: 4 }], [[4, 0, 4]]],
  ["a block, down", "|one|two", [{ delete: 4 }, { retain: 4 }, { insert: BOUNDARY }, { insert: "one" }], [[0, 4, 4]]],
  ["with what one wrote in it staying", "|oXne|two", [{ delete: 2 }, { retain: 1 }, { delete: 2 }, { retain: 4 }, { insert: BOUNDARY }, { insert: "one" }], [[0, 5, 2], [3, 7, 2]]],
  ["where its boundary stays", "|one|two", [{ retain: 1 }, { delete: 3 }, { retain: 4 }, { insert: BOUNDARY }, { insert: "one" }], [[1, 6, 3]]],
  ["nothing, where two read so", "|one|two", [{ insert: "two" }, { retain: 4 }, { insert: BOUNDARY }, { insert: "two" }, { delete: 4 }], []],
  ["nothing, where one part is put in twice", "|one|two", [{ delete: 4 }, { insert: "two" }, { delete: 4 }, { insert: "!" }], []],
];

test.each(CASES)("%s", (_name, letters, change, expected) => {
  expect(keptAlong(linesIn(letters), change).map(({ was, is, length }) => [was, is, length])).toEqual(expected);
});

const gone = (root: string, letters: string): Parameters<typeof keptAcross>[0][number] => ({ root, lines: linesIn(letters), change: [{ delete: letters.length }] });
const come = (root: string, letters: string, more: Delta): Parameters<typeof keptAcross>[0][number] => ({ root, lines: linesIn(letters), change: [{ retain: letters.length }, ...more] });
const blocks = (...words: readonly string[]): Delta => words.flatMap((word) => [{ insert: BOUNDARY }, { insert: word }]);

const ACROSS: readonly (readonly [string, Parameters<typeof keptAcross>[0], readonly string[]])[] = [
  ["two cells that become blocks of a third", [come("a", "one", blocks("two", "three")), gone("b", "two"), gone("c", "three")], ["c 0 a 8 5", "b 0 a 4 3"]],
  ["in order, where two read the same", [come("a", "one", blocks("x", "x")), gone("b", "x"), gone("c", "x")], ["b 0 a 4 1", "c 0 a 6 1"]],
  ["and back again", [{ root: "a", lines: linesIn("one|two|three"), change: [{ retain: 3 }, { delete: 10 }] }, come("b", "", [{ insert: "two" }]), come("c", "", [{ insert: "three" }])], ["a 8 c 0 5", "a 4 b 0 3"]],
  ["with what one wrote in it staying", [come("a", "one", blocks("two")), { root: "b", lines: linesIn("tXwo"), change: [{ delete: 1 }, { retain: 1 }, { delete: 2 }] }], ["b 0 a 4 1", "b 2 a 5 2"]],
  ["nothing, where it is only a part of a word", [come("a", "one", [{ insert: "twofold" }]), gone("b", "two")], []],
  ["nothing, where it is put in once more", [come("a", "one", blocks("two", "two")), gone("b", "two")], []],
];

test.each(ACROSS)("across: %s", (_name, changes, expected) => {
  expect(keptAcross(changes).map(({ root, was, to, is, length }) => `${root} ${was} ${to} ${is} ${length}`)).toEqual(expected);
});
