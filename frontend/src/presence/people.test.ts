import { expect, test } from "vitest";
import { COLOURS } from "../ui/colours";
import { LONGEST_NAME, initials, movement, peopleIn, personOf, tidyName } from "./people";

const user = (name: string, id = name): unknown => ({ user: { id, name, color: "#0e7490" } });

test("oneself comes first, the others by name", () => {
  const people = peopleIn(new Map([[1, user("Zoe")], [5, user("Me")], [2, user("Ada")]]), 5);
  expect(people.map((person) => [person.name, person.self])).toEqual([
    ["Me", true],
    ["Ada", false],
    ["Zoe", false],
  ]);
});

test("two tabs of one person are one person, and one's own other tab is oneself", () => {
  const people = peopleIn(new Map([[1, user("Ada", "a")], [2, user("Ada", "a")], [3, user("Me", "m")], [9, user("Me", "m")]]), 9);
  expect(people.map((person) => [person.name, person.client, person.self])).toEqual([
    ["Me", 9, true],
    ["Ada", 1, false],
  ]);
});

test("whatever other clients announce, something harmless is shown", () => {
  expect(peopleIn(new Map<number, unknown>([[1, {}], [2, null], [3, { user: "x" }], [4, { user: null }]]), 0)).toEqual([]);
  const odd = personOf(7, { name: 42, color: "red;background:url(//elsewhere)" });
  expect(odd.name).toBe("");
  expect(COLOURS).toContain(odd.colour);
});

test("names are one line of bearable length", () => {
  expect(tidyName("  A\nda\u0000 \u202e Love ")).toBe("A da Love");
  expect(tidyName("👩‍👩‍👧‍👦".repeat(LONGEST_NAME + 5)).length).toBeLessThanOrEqual("👩‍👩‍👧‍👦".length * LONGEST_NAME);
  expect(tidyName("x".repeat(1_000))).toHaveLength(LONGEST_NAME);
});

test("initials", () => {
  expect(initials("Ada Lovelace")).toBe("AL");
  expect(initials("calm heron")).toBe("CH");
  expect(initials("Ada")).toBe("A");
  expect(initials("王小明")).toBe("明");
  expect(initials("")).toBe("•");
  expect(initials("!?")).toBe("•");
});

test("who came and who went", () => {
  const before = peopleIn(new Map([[1, user("Ada")], [2, user("Bo")], [5, user("Me")]]), 5);
  const after = peopleIn(new Map([[2, user("Bo")], [3, user("Cy")], [5, user("Me")]]), 5);
  expect(movement(before, after)).toEqual({ joined: ["Cy"], left: ["Ada"] });
});
