import { expect, test } from "vitest";
import { parseKept } from "./kept";
import { parseStarred } from "./starred";

test("what is kept is read back, older records without a kind included", () => {
  expect(parseKept('[{"name":"a","title":"A","seen":5},{"name":"b","title":null,"kind":"plain","seen":6}]')).toEqual([
    { name: "a", title: "A", kind: "text", seen: 5, trashed: false },
    { name: "b", title: null, kind: "plain", seen: 6, trashed: false },
  ]);
});

test("whatever else stands there is left out", () => {
  for (const odd of [null, "", "{", "null", "7", '{"a":1}', '[1,null,{"name":" "},{"name":"a"},{"name":"..","seen":1}]']) {
    expect(parseKept(odd), String(odd)).toEqual([]);
    expect([...parseStarred(odd)], String(odd)).toEqual([]);
  }
  expect([...parseStarred('["a","a","..",3,"b"]')]).toEqual(["a", "b"]);
});
