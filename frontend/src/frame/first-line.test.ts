// A text nobody gave a title is called by its first line, by whoever writes and while the server is there; a title that
// somebody gives stays, whoever wrote what at the same time.
import { expect, test } from "vitest";
import { Doc, Map as YMap, applyUpdate, encodeStateAsUpdate } from "yjs";
import { sayKind } from "../documents/kind";
import { editTitle, hasGivenTitle, keepTitle, readTitle } from "../documents/title";
import type { RoomState } from "../sync/room";
import { generator } from "../testing/random";
import { firstLineOf, nameByFirstLine } from "./first-line";

interface Person {
  readonly doc: Doc;
  readonly live: (is: boolean) => void;
}

function person(doc = new Doc()): Person {
  let status = "saved";
  const listeners = new Set<() => void>();
  const room = {
    doc,
    state: () => ({ status: status === "saved" ? { kind: "saved" } : { kind: "offline", kept: 0 } }) as unknown as RoomState,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  nameByFirstLine(room);
  keepTitle(doc);
  return {
    doc,
    live: (is) => {
      status = is ? "saved" : "offline";
      for (const listener of listeners) listener();
    },
  };
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("the first line with a letter in it, as far as it fits a list", () => {
  const doc = new Doc();
  const text = doc.getText("body");
  const begin = (type: string): void => void text.insertEmbed(0, new YMap([["type", type]]));
  expect(firstLineOf(doc)).toBe("");
  text.applyDelta([{ insert: "  " }, { insert: new YMap() }, { insert: "Warp" }, { insert: { type: "break" } }, { insert: "and weft" }, { insert: new YMap() }, { insert: "later" }]);
  expect(firstLineOf(doc)).toBe("Warp");
  begin("paragraph");
  text.insert(0, "in a list");
  begin("bullet");
  expect(firstLineOf(doc)).toBe("in a list");
  begin("paragraph");
  text.insert(0, "word ".repeat(40));
  expect(firstLineOf(doc)).toMatch(/^(word )+word…$/);
  expect(firstLineOf(doc).length).toBeLessThanOrEqual(81);

  const plain = new Doc();
  sayKind(plain, "plain");
  plain.getText("content").insert(0, "\n\n  first\nsecond");
  expect(firstLineOf(plain)).toBe("first");
  const board = new Doc();
  sayKind(board, "board");
  expect(firstLineOf(board)).toBe("");
});

test("it is followed until somebody gives a title, and again when that is emptied", async () => {
  const { doc } = person();
  const line = doc.getText("body");
  line.insert(0, "War");
  await soon();
  expect(readTitle(doc)).toBe("War");
  line.insert(3, "p");
  await soon();
  expect(readTitle(doc)).toBe("Warp");
  expect(hasGivenTitle(doc)).toBe(false);
  editTitle(doc, "Warp", "The loom");
  line.insert(4, "s");
  await soon();
  expect(readTitle(doc)).toBe("The loom");
  expect(hasGivenTitle(doc)).toBe(true);
  editTitle(doc, "The loom", "");
  line.insert(0, "Two ");
  await soon();
  expect(readTitle(doc)).toBe("Two Warps");
  line.delete(0, line.length);
  await soon();
  expect(readTitle(doc)).toBe("");
});

test("nobody writes it who only reads, nor while the server is away", async () => {
  const [ann, bo] = [person(), person()];
  ann.live(false);
  ann.doc.getText("body").insert(0, "Written far away");
  await soon();
  expect(readTitle(ann.doc)).toBe("");
  applyUpdate(bo.doc, encodeStateAsUpdate(ann.doc));
  await soon();
  expect(readTitle(bo.doc)).toBe("");
  ann.live(true);
  await soon();
  expect(readTitle(ann.doc)).toBe("Written far away");
});

test.each(Array.from({ length: 60 }, () => Math.floor(Math.random() * 2 ** 31)))("a given title outlives whatever is written at the same time, seed %i", async (seed) => {
  const random = generator(seed);
  const people = [0, 1, 2].map((at) => {
    const doc = new Doc();
    doc.clientID = 1 + ((at * 5 + Math.floor(random() * 3)) % 17) + at * 17 * Math.floor(random() * 2);
    return person(doc);
  });
  const queue: { to: Doc; update: Uint8Array }[] = [];
  for (const { doc } of people) {
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "network") for (const other of people) if (other.doc !== doc) queue.push({ to: other.doc, update });
    });
  }
  const deliver = (): void => {
    for (const { to, update } of queue.splice(0, Math.ceil(random() * queue.length))) applyUpdate(to, update, "network");
  };
  const [ann] = people as [Person, Person, Person];
  ann.doc.getText("body").insert(0, "One");
  await soon();
  while (queue.length > 0) deliver();
  let given = false;
  for (let step = 0; step < 12; step += 1) {
    const { doc } = people[Math.floor(random() * 3)] as Person;
    if (!given && step === 5) {
      given = true;
      editTitle(doc, readTitle(doc), "Given");
    } else {
      const line = doc.getText("body");
      line.insert(Math.floor(random() * line.length), "abc"[Math.floor(random() * 3)] ?? "a");
    }
    await soon();
    if (random() < 0.5) deliver();
  }
  while (queue.length > 0) deliver();
  for (const { doc } of people) expect(readTitle(doc)).toBe("Given");
});
