// Updates cut by chance: every piece integrates by those before it, and all of them are the whole.
import { expect, test } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector, decodeStateVector, Map as YMap, Text, XmlElement, XmlText, Array as YArray, mergeUpdates } from "yjs";
import { seeded } from "../testing/random";
import { openPieces } from "./pieces";

/** Some clients who write into each other's words, with every kind of content there is. */
function written(random: (below: number) => number): Doc {
  const people = Array.from({ length: 4 }, () => {
    const doc = new Doc();
    doc.clientID = 1 + random(2 ** 31);
    return doc;
  });
  for (let step = 0; step < 120; step += 1) {
    const doc = people[random(people.length)]!;
    const text = doc.getText("body");
    const map = doc.getMap<unknown>("meta");
    const list = doc.getArray<unknown>("list");
    switch (random(11)) {
      case 0:
        map.set(`key ${random(5)}`, { deep: [1, "字", null, true, 2.5], bytes: new Uint8Array(3) });
        break;
      case 1:
        map.set(`map ${random(3)}`, new YMap([["inside", "😀"]]));
        break;
      case 2:
        list.insert(random(list.length + 1), [random(9), "word", Uint8Array.of(1, 2, 3), new Text("inner")]);
        break;
      case 3:
        if (list.length > 0) list.delete(random(list.length), 1);
        break;
      case 4:
        text.insertEmbed(random(text.length + 1), { picture: "🖼" });
        break;
      case 5:
        if (text.length > 3) text.format(random(text.length - 3), 3, { bold: random(2) === 0 ? true : null });
        break;
      case 6:
        if (text.length > 4) text.delete(random(text.length - 4), 1 + random(4));
        break;
      case 7: {
        const element = new XmlElement("paragraph");
        element.insert(0, [new XmlText("in xml")]);
        doc.getXmlFragment("old").insert(0, [element]);
        break;
      }
      case 8: {
        const other = people[random(people.length)]!;
        applyUpdate(doc, encodeStateAsUpdate(other, encodeStateVector(doc)));
        break;
      }
      default:
        text.insert(random(text.length + 1), ["word ", "字詞", "😀", "x"][random(4)]!.repeat(1 + random(3)));
    }
  }
  const all = new Doc({ gc: random(2) === 0 });
  for (const doc of people) applyUpdate(all, encodeStateAsUpdate(doc));
  all.getArray("list").insert(0, [new YArray()]);
  return all;
}

/** Hands it over in packets of chance, and answers what comes out. */
function cut(update: Uint8Array, known: ReadonlyMap<number, number>, random: (below: number) => number, most: number): Uint8Array[] {
  const pieces = openPieces(known, most);
  const out: Uint8Array[] = [];
  for (let at = 0; at < update.length; ) {
    const length = 1 + random(random(2) === 0 ? 7 : 300);
    // A packet may be a view into something larger, and may be used again by who brought it.
    const packet = update.slice(at, at + length);
    out.push(...pieces.push(packet));
    packet.fill(255);
    at += length;
  }
  out.push(pieces.end());
  return out;
}

for (const seed of Array.from({ length: 60 }, (_, at) => at + 1)) {
  test(`all of a document, seed ${seed}`, () => {
    const random = seeded(seed);
    const all = written(random);
    const update = encodeStateAsUpdate(all);
    const doc = new Doc({ gc: all.gc });
    const most = 1 + random(400);
    const pieces = cut(update, new Map(), random, most);
    for (const [at, piece] of pieces.entries()) {
      // One struct more than it should be, but for the deletions at the end.
      if (at < pieces.length - 1) expect(piece.length).toBeLessThan(most + 200);
      applyUpdate(doc, piece);
      expect(doc.store.pendingStructs).toBeNull();
    }
    expect(pieces.length).toBeGreaterThan(5);
    expect(doc.store.pendingDs).toBeNull();
    expect(encodeStateAsUpdate(doc)).toEqual(update);
  });

  test(`what a document lacks, seed ${seed}`, () => {
    const random = seeded(seed);
    const all = written(random);
    const doc = new Doc({ gc: all.gc });
    const half = cut(encodeStateAsUpdate(all), new Map(), random, 50);
    for (const piece of half.slice(0, random(half.length))) applyUpdate(doc, piece);
    doc.getText("body").insert(0, "mine ");
    const vector = encodeStateVector(doc);
    for (const piece of cut(encodeStateAsUpdate(all, vector), decodeStateVector(vector), random, 50)) {
      applyUpdate(doc, piece);
      expect(doc.store.pendingStructs).toBeNull();
    }
    applyUpdate(all, encodeStateAsUpdate(doc));
    expect(doc.getText("body").toDelta()).toEqual(all.getText("body").toDelta());
    expect(doc.getMap("meta").toJSON()).toEqual(all.getMap("meta").toJSON());
    expect(encodeStateVector(doc)).toEqual(encodeStateVector(all));
  });
}

test("a long text comes in parts, which are cut between letters", () => {
  const all = new Doc();
  const text = all.getText("body");
  text.insert(0, "()");
  text.insert(1, "字😀é-".repeat(500));
  for (const most of [1, 2, 3, 5, 64, 1000]) {
    const doc = new Doc();
    const parts = cut(encodeStateAsUpdate(all), new Map(), seeded(most), most);
    for (const part of parts.slice(0, -1)) {
      applyUpdate(doc, part);
      expect(doc.store.pendingStructs).toBeNull();
      expect(doc.getText("body").toJSON()).not.toContain("\ufffd");
    }
    expect(parts.length).toBeGreaterThan(5);
    applyUpdate(doc, parts.at(-1)!);
    expect(doc.getText("body").toJSON()).toBe(text.toJSON());
    expect(encodeStateAsUpdate(doc)).toEqual(encodeStateAsUpdate(all));
  }
});

test("an update with a hole keeps it", () => {
  const doc = new Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update) => updates.push(update));
  for (const word of ["one ", "two ", "three "]) doc.getText("body").insert(0, word);
  const [one, two, three] = updates;
  const other = new Doc();
  for (const piece of cut(mergeUpdates([one!, three!]), new Map(), seeded(1), 1)) applyUpdate(other, piece);
  expect(other.getText("body").toJSON()).toBe("one ");
  applyUpdate(other, two!);
  expect(other.getText("body").toJSON()).toBe("three two one ");
});

test("what an answer that ignores the state vector repeats does no harm", () => {
  const doc = new Doc();
  doc.getText("body").insert(0, "all of it");
  const known = decodeStateVector(encodeStateVector(doc));
  for (const piece of cut(encodeStateAsUpdate(doc), known, seeded(1), 1)) applyUpdate(doc, piece);
  expect(doc.getText("body").toJSON()).toBe("all of it");
  expect(doc.store.pendingStructs).toBeNull();
});

test("what is broken off, followed by something, or no update at all is said to be so", () => {
  const doc = new Doc();
  doc.getText("body").insert(0, "word");
  const update = encodeStateAsUpdate(doc);
  for (let length = 0; length < update.length; length += 1) {
    const pieces = openPieces(new Map());
    pieces.push(update.subarray(0, length));
    expect(() => pieces.end()).toThrow();
  }
  const more = openPieces(new Map());
  more.push(update);
  more.push(Uint8Array.of(0));
  expect(() => more.end()).toThrow("follows");
  expect(() => {
    const pieces = openPieces(new Map());
    pieces.push(new TextEncoder().encode("<!doctype html><title>Log in</title>"));
    pieces.end();
  }).toThrow();
});
