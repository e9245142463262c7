// What was moved is found again by how it reads.
import { expect, test } from "vitest";
import { Doc, Map as YMap } from "yjs";
import { keptAlong } from "./moved";
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
