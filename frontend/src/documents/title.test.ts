import { expect, test } from "vitest";
import { Doc, applyUpdate, encodeStateAsUpdate } from "yjs";
import { seeded } from "../testing/random";
import { editTitle, keepTitle, LONGEST_TITLE, merged, onTitle, placeAfter, readTitle, writeTitle } from "./title";

test("a title travels, and an unchanged one writes nothing", () => {
  const [ours, theirs] = [new Doc(), new Doc()];
  writeTitle(ours, "Plan\nfor May");
  applyUpdate(theirs, encodeStateAsUpdate(ours));
  expect(readTitle(theirs)).toBe("Plan for May");

  let updates = 0;
  ours.on("update", () => updates++);
  writeTitle(ours, "Plan for May");
  expect(updates).toBe(0);
});

test("what another client stored there cannot hurt", () => {
  const doc = new Doc();
  expect(readTitle(doc)).toBe("");
  doc.getMap("meta").set("title", 42);
  expect(readTitle(doc)).toBe("");
  doc.getMap("meta").set("title", "x".repeat(10_000));
  expect(readTitle(doc)).toHaveLength(LONGEST_TITLE);
});

test("listening ends when asked to", () => {
  const doc = new Doc();
  let heard = 0;
  const end = onTitle(doc, () => heard++);
  writeTitle(doc, "a");
  end();
  writeTitle(doc, "b");
  expect(heard).toBe(1);
});

test("what two people made of one title is in it, the letters of either in their order", () => {
  expect(merged("Plan", "My Plan", "Plan B")).toBe("My Plan B");
  expect(merged("Plan", "Plan B", "My Plan")).toBe("My Plan B");
  expect(merged("", "abc", "xyz")).toBe("abcxyz");
  expect(merged("old", "new", "neu")).toContain("w");
  expect(merged("same", "same", "other")).toBe("other");
  expect(merged("文字", "文字檔", "新文字")).toBe("新文字檔");
});

test("a place stays where it was between the letters", () => {
  expect(placeAfter("Hello", "Hello!", 1)).toBe(1);
  expect(placeAfter("Hello", "Oh Hello", 1)).toBe(4);
  expect(placeAfter("Hello", "", 3)).toBe(0);
});

test("random: two people type at once, on lines as slow as they like: no letter is lost or doubled, and both read the same", async () => {
  for (let round = 0; round < 40; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    const below = seeded(seed);
    const docs = [new Doc(), new Doc()] as const;
    const ends = docs.map(keepTitle);
    const lines: Uint8Array[][] = [[], []];
    docs.forEach((doc, at) => doc.on("update", (update: Uint8Array, origin: unknown) => origin !== "line" && lines[1 - at]?.push(update)));
    const deliver = async (to: number): Promise<void> => {
      const update = lines[to]?.shift();
      if (update) applyUpdate(docs[to] as Doc, update, "line");
      await Promise.resolve();
    };
    const typed = [[], []] as [string[], string[]];
    for (let step = 0; step < 24; step++) {
      const at = below(2) as 0 | 1;
      if (below(3) === 0) await deliver(at);
      else {
        const letter = String.fromCharCode((at === 0 ? 97 : 65) + typed[at].length);
        typed[at].push(letter);
        const title = readTitle(docs[at]);
        editTitle(docs[at], title, at === 0 ? letter + title : title + letter);
      }
    }
    for (let turn = 0; turn < 200; turn++) await deliver(turn % 2);
    expect(lines.map(({ length }) => length), `seed ${seed}`).toEqual([0, 0]);
    expect(readTitle(docs[0]), `seed ${seed}`).toBe(readTitle(docs[1]));
    expect([...readTitle(docs[0])].sort().join(""), `seed ${seed}`).toBe([...typed[0], ...typed[1]].sort().join(""));
    for (const end of ends) end();
  }
});

test("what a colleague took away on purpose stays away", async () => {
  const [ann, bo] = [new Doc(), new Doc()];
  const ends = [ann, bo].map(keepTitle);
  editTitle(ann, "", "A wrong title");
  applyUpdate(bo, encodeStateAsUpdate(ann));
  editTitle(bo, "A wrong title", "A title");
  editTitle(bo, "A title", "A");
  applyUpdate(ann, encodeStateAsUpdate(bo));
  await Promise.resolve();
  expect(readTitle(ann)).toBe("A");
  for (const end of ends) end();
});
