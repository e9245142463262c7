// A line written in from how it was, while another changes it: every letter of both is there once, in its author's order.
import { expect, test } from "vitest";
import { Doc, XmlElement, XmlText, applyUpdate, createAbsolutePositionFromRelativePosition, encodeStateAsUpdate } from "yjs";
import { seeded } from "../testing/random";
import { holdLine } from "./held-line";

function line(...parts: readonly (string | null)[]): { doc: Doc; element: XmlElement } {
  const doc = new Doc();
  const element = new XmlElement("paragraph");
  element.insert(0, parts.map((part) => (part === null ? new XmlElement("hardBreak") : new XmlText(part))));
  doc.getXmlFragment("default").insert(0, [element]);
  return { doc, element };
}
const lineOf = (doc: Doc): XmlElement => doc.getXmlFragment("default").get(0) as XmlElement;
const read = (doc: Doc): string => lineOf(doc).toArray().map((child) => (child instanceof XmlText ? child.toJSON() : "\n")).join("");
const meet = (one: Doc, other: Doc): void => {
  applyUpdate(one, encodeStateAsUpdate(other));
  applyUpdate(other, encodeStateAsUpdate(one));
};
const held = (element: XmlElement): NonNullable<ReturnType<typeof holdLine>> => {
  const found = holdLine(element);
  if (found === null) throw new Error("this line can be held");
  return found;
};

test("what is written goes where its author sees it, whatever was put around it", () => {
  const { doc, element } = line("開始 . 結束");
  const hold = held(element);
  const other = new Doc();
  meet(doc, other);
  (lineOf(other).get(0) as XmlText).insert(0, "Bo: ");
  meet(doc, other);
  expect(hold.replace(3, 3, "ㄋ")).toBe(true);
  expect(hold.replace(3, 4, "ㄋㄧ")).toBe(true);
  (lineOf(other).get(0) as XmlText).insert(6, "!");
  meet(doc, other);
  expect(hold.replace(3, 5, "你好")).toBe(true);
  expect(read(doc)).toBe("Bo: 開始! 你好. 結束");
  const caret = createAbsolutePositionFromRelativePosition(hold.place(5), doc);
  expect(caret?.index).toBe("Bo: 開始! 你好".length);
});

test("an empty line, one of breaks only, and emoji", () => {
  const empty = line();
  const hold = held(empty.element);
  expect(hold.replace(0, 0, "a😀b")).toBe(true);
  expect(hold.replace(1, 3, "")).toBe(true);
  expect(hold.replace(2, 2, "c")).toBe(true);
  expect(read(empty.doc)).toBe("abc");

  const breaks = line(null, null);
  const held2 = held(breaks.element);
  expect(held2.replace(1, 1, "x")).toBe(true);
  expect(held2.replace(2, 2, "y")).toBe(true);
  expect(read(breaks.doc)).toBe("\nxy\n");
  expect(held2.length).toBe(4);
});

test("a place that its neighbours were deleted from is still a place", () => {
  const { doc, element } = line("abc");
  const hold = held(element);
  const other = new Doc();
  meet(doc, other);
  (lineOf(other).get(0) as XmlText).delete(0, 3);
  (lineOf(other).get(0) as XmlText).insert(0, "new");
  meet(doc, other);
  expect(hold.replace(1, 2, "X")).toBe(true);
  expect(read(doc).replace("X", "")).toBe("new");
});

test("random: letters of both authors are there once and in order, and what either deleted is gone", () => {
  for (let round = 0; round < 300; round++) {
    const seed = Number(process.env["SEED"] ?? Date.now() + round);
    const random = seeded(seed);
    const { doc, element } = line("abcdef", null, "ghijkl");
    const hold = held(element);
    const other = new Doc();
    meet(doc, other);
    // What Ann sees, as she would without anybody else.
    const mine: string[] = [..."abcdef\nghijkl"];
    const gone = new Set<string>();
    let mark = 0x4e00;
    const theirs = new Set<string>();
    for (let step = 0; step < 12; step++) {
      if (random(2) === 0) {
        const from = random(mine.length + 1);
        const to = Math.min(mine.length, from + random(3));
        const text = Array.from({ length: random(3) }, () => String.fromCharCode(mark++)).join("");
        expect(hold.replace(from, to, text), `seed ${seed}`).toBe(true);
        for (const letter of mine.splice(from, to - from, ...text)) gone.add(letter);
      } else {
        const texts = lineOf(other).toArray().filter((child) => child instanceof XmlText);
        const text = texts[random(texts.length)];
        if (text === undefined) continue;
        const index = random(text.length + 1);
        if (random(3) === 0 && index < text.length) {
          gone.add(text.toJSON().charAt(index));
          text.delete(index, 1);
        } else {
          const letter = String.fromCharCode(mark++);
          theirs.add(letter);
          text.insert(index, letter);
        }
      }
      if (random(2) === 0) meet(doc, other);
    }
    meet(doc, other);
    const now = read(doc);
    expect(read(other)).toBe(now);
    const left = mine.filter((letter) => !gone.has(letter));
    const own = [...now].filter((letter) => !theirs.has(letter));
    expect(own.join(""), `seed ${seed}`).toBe(left.join(""));
    expect([...theirs].filter((letter) => !gone.has(letter)).every((letter) => now.split(letter).length === 2), `seed ${seed}`).toBe(true);
  }
});
