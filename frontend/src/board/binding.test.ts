// The binding's promises one by one. That they hold in any order and mixture is the affair of binding.random.test.ts.
import { expect, test } from "vitest";
import { Doc, Map as YMap, applyUpdate, encodeStateAsUpdate, type Text as YText } from "yjs";
import { bindBoard } from "./binding";
import type { BoardElement } from "./element";
import { fakeView, replica, shape, type Replica } from "./fake-view";

/** Two people whose messages arrive at once, unless `apart` holds them up until the end of what it is given. */
function together(): { readonly ann: Replica; readonly bo: Replica; readonly apart: (act: () => void) => void } {
  const [ann, bo] = [replica(new Doc()), replica(new Doc())];
  let waiting: (() => void)[] | null = null;
  const connect = (from: Doc, to: Doc): void => {
    from.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === "network") return;
      const deliver = (): void => applyUpdate(to, update, "network");
      if (waiting) waiting.push(deliver);
      else deliver();
    });
  };
  connect(ann.doc, bo.doc);
  connect(bo.doc, ann.doc);
  return {
    ann,
    bo,
    apart: (act) => {
      waiting = [];
      act();
      const late = waiting;
      waiting = null;
      for (const deliver of late) deliver();
    },
  };
}

function put({ view, binding }: Replica, id: string, fields: Readonly<Record<string, unknown>> = {}): void {
  view.put(id, fields);
  binding.changed();
}

function remove({ view, binding }: Replica, id: string): void {
  view.remove(id);
  binding.changed();
}

const stored = ({ doc }: Replica, id: string): YMap<unknown> => doc.getMap<YMap<unknown>>("elements").get(id) as YMap<unknown>;
const order = ({ view }: Replica): string[] => view.alive().map(({ id }) => id);

test("a shape made here is seen there, field by field, and what belongs to one browser stays there", () => {
  const { ann, bo } = together();
  put(ann, "a", { strokeColor: "#e03131" });
  expect(bo.view.get("a")).toMatchObject({ type: "rectangle", strokeColor: "#e03131", isDeleted: false });
  for (const field of ["id", "version", "versionNonce", "updated", "status"]) expect(stored(bo, "a").has(field), field).toBe(false);
});

test("a change writes the fields that changed, and nothing else", () => {
  const { ann } = together();
  put(ann, "a");
  const written: string[][] = [];
  stored(ann, "a").observe((event) => written.push([...(event.keysChanged as Set<string>)]));
  put(ann, "a", { x: 50, width: 100 });
  expect(written).toEqual([["x"]]);
});

test("a change from elsewhere makes the view take it: a newer version and another nonce", () => {
  const { ann, bo } = together();
  put(ann, "a");
  const { version, versionNonce } = bo.view.get("a") ?? {};
  put(ann, "a", { x: 50 });
  expect(bo.view.get("a")?.x).toBe(50);
  expect(bo.view.get("a")?.version).toBe((version ?? 0) + 1);
  expect(bo.view.get("a")?.versionNonce).not.toBe(versionNonce);
});

test("what comes from elsewhere is not sent back", () => {
  const { ann, bo } = together();
  let sent = 0;
  bo.doc.on("update", (_update: Uint8Array, origin: unknown) => (sent += origin === "network" ? 0 : 1));
  put(ann, "a");
  put(ann, "a", { x: 50 });
  bo.binding.changed();
  bo.binding.flush();
  expect(sent).toBe(0);
});

test("what is written stays the same object in the view: editors hold on to what they are working on", () => {
  const { ann } = together();
  for (const type of ["rectangle", "text", "arrow", "freedraw", "image", "frame"]) {
    put(ann, type, { ...shape(type, type), ...WHOLE[type] });
    put(ann, type, { x: 77 });
  }
  expect(ann.view.replaced()).toBe(0);
});

const WHOLE: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  text: { text: "a", originalText: "a", fontSize: 20, fontFamily: 5, textAlign: "left", verticalAlign: "top", containerId: null, autoResize: true, lineHeight: 1.25 },
  arrow: { points: [[0, 0], [9, 9]], lastCommittedPoint: null, startBinding: null, endBinding: null, startArrowhead: null, endArrowhead: "arrow", elbowed: false },
  freedraw: { points: [[0, 0]], pressures: [], simulatePressure: true, lastCommittedPoint: null },
  image: { fileId: "f", scale: [1, 1], crop: null, status: "pending" },
  frame: { name: null },
};

test("an image is written once it has its picture", () => {
  const { ann, bo } = together();
  put(ann, "i", { ...shape("i", "image"), fileId: null, scale: [1, 1], crop: null, status: "pending" });
  expect(order(bo)).toEqual([]);
  put(ann, "i", { fileId: "f1" });
  expect(bo.view.get("i")).toMatchObject({ fileId: "f1", status: "saved" });
});

test("two people change different fields of one shape at the same time: both hold", () => {
  const { ann, bo, apart } = together();
  put(ann, "a");
  apart(() => {
    put(ann, "a", { strokeColor: "#2f9e44" });
    put(bo, "a", { x: 300 });
  });
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ strokeColor: "#2f9e44", x: 300 });
});

test("while one drags, another's colour arrives at once, and the place is moved by both", () => {
  const { ann, bo } = together();
  put(ann, "a");
  bo.binding.hold();
  put(bo, "a", { x: 200 });
  put(ann, "a", { strokeColor: "#2f9e44", x: 70 });
  expect(bo.view.get("a")).toMatchObject({ strokeColor: "#2f9e44", x: 200 });
  expect(ann.view.get("a")?.x).toBe(70);
  put(bo, "a", { x: 210 });
  bo.binding.release();
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ strokeColor: "#2f9e44", x: 70 + 200 });
});

/** A drag as the view does it: counted from where the shapes were when it began, and all of their place set with each move. */
function grab(person: Replica, ...ids: readonly string[]): (fields: (from: BoardElement) => Readonly<Record<string, unknown>>) => void {
  person.binding.hold();
  const from = new Map(ids.map((id) => [id, { ...(person.view.get(id) as BoardElement) }]));
  return (fields) => {
    for (const [id, element] of from) person.view.put(id, fields(element));
    person.binding.changed();
  };
}

const by = (dx: number, dy: number) => (from: BoardElement) => ({ x: Number(from["x"]) + dx, y: Number(from["y"]) + dy });

test("one drags a shape to the side and another up, at the same time: both hold, whoever lets go first", () => {
  for (const first of ["ann", "bo"] as const) {
    const people = together();
    const { ann, bo } = people;
    put(ann, "a");
    const [anns, bos] = [grab(ann, "a"), grab(bo, "a")];
    anns(by(300, 0));
    bo.binding.showInHand(ann.binding.inHand());
    bos(by(0, 150));
    ann.binding.showInHand(bo.binding.inHand());
    anns(by(400, 0));
    bos(by(0, 250));
    people[first].binding.release();
    (first === "ann" ? bos : anns)(first === "ann" ? by(0, 250) : by(400, 0));
    for (const { binding } of [ann, bo]) binding.release();
    for (const { binding } of [ann, bo]) binding.showInHand(new Map());
    for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ x: 410, y: 270 });
    expect(stored(ann, "a").toJSON()).toMatchObject({ x: 410, y: 270 });
    // One's own step back is one's own way only.
    bo.binding.history.undo();
    for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ x: 410, y: 20 });
  }
});

test("neither has the other's messages until both let go: still both hold", () => {
  const { ann, bo, apart } = together();
  put(ann, "a");
  apart(() => {
    const [anns, bos] = [grab(ann, "a"), grab(bo, "a")];
    anns(by(400, 0));
    bos(by(0, 250));
    for (const { binding } of [ann, bo]) binding.release();
  });
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ x: 410, y: 270 });
});

test("one resizes and turns while another moves; a colour picked while another's move is seen moves nothing twice", () => {
  const { ann, bo } = together();
  put(ann, "a");
  const wider = grab(bo, "a");
  const anns = grab(ann, "a");
  anns(by(30, 0));
  ann.binding.release();
  wider((from) => ({ ...by(-20, 0)(from), width: Number(from["width"]) + 20, height: from["height"], angle: 1 }));
  bo.binding.release();
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ x: 20, y: 20, width: 120, height: 60, angle: 1 });

  bo.binding.hold();
  put(ann, "a", { x: 500 });
  put(bo, "a", { strokeColor: "#e03131" });
  bo.binding.release();
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ x: 500, strokeColor: "#e03131" });
});

test("a shape with others bound and grouped to it goes as one, dragged by two; the arrow ends where its shapes end", () => {
  const { ann, bo } = together();
  const arrow = { startBinding: { elementId: "a", focus: 0, gap: 0 }, endBinding: { elementId: "b", focus: 0, gap: 0 } };
  put(ann, "a", { x: 0, y: 0, groupIds: ["g"] });
  put(ann, "b", { x: 1000, y: 0, groupIds: ["g"] });
  put(ann, "arrow", { ...shape("arrow", "arrow"), ...WHOLE["arrow"], ...arrow, x: 100, y: 30, width: 900, height: 0, points: [[0, 0], [900, 0]] });
  for (const id of ["a", "b"]) put(ann, id, { boundElements: [{ id: "arrow", type: "arrow" }] });

  // Ann drags the left one down, Bo the right one to the right, and the view takes the ends along.
  const [anns, bos] = [grab(ann, "a"), grab(bo, "b")];
  anns(by(0, 50));
  ann.view.put("arrow", { y: 80, height: 50, points: [[0, 0], [900, -50]] });
  bos(by(70, 0));
  bo.view.put("arrow", { width: 970, points: [[0, 0], [970, 0]] });
  for (const { binding } of [ann, bo]) binding.release();
  for (const { view } of [ann, bo]) expect(view.get("arrow")).toMatchObject({ x: 100, y: 80, points: [[0, 0], [970, -50]], width: 970, height: 50 });

  // Both drag the left one, each another way.
  const [left, down] = [grab(ann, "a"), grab(bo, "a")];
  left(by(-40, 0));
  ann.view.put("arrow", { x: 60, width: 1010, points: [[0, 0], [1010, -50]] });
  down(by(0, 200));
  bo.view.put("arrow", { y: 280, height: 250, points: [[0, 0], [970, -250]] });
  for (const { binding } of [ann, bo]) binding.release();
  for (const { view } of [ann, bo]) {
    expect(view.get("a")).toMatchObject({ x: -40, y: 250 });
    expect(view.get("arrow")).toMatchObject({ x: 60, y: 280, points: [[0, 0], [1010, -250]] });
  }

  // The group, by both.
  const [all, up] = [grab(ann, "a", "b", "arrow"), grab(bo, "a", "b", "arrow")];
  all(by(5, 0));
  up(by(0, -7));
  for (const { binding } of [bo, ann]) binding.release();
  for (const { view } of [ann, bo]) expect(["a", "b", "arrow"].map((id) => [view.get(id)?.["x"], view.get(id)?.["y"]])).toEqual([[-35, 243], [1075, -7], [65, 273]]);
});

test("a stroke of 400 points is one write of less than 20 KB", () => {
  const { ann } = together();
  let [bytes, writes] = [0, 0];
  ann.doc.on("update", (update: Uint8Array) => {
    bytes += update.length;
    writes += 1;
  });
  ann.binding.hold();
  for (let length = 1; length <= 400; length += 1) {
    const points = Array.from({ length }, (_, at) => [at * 1.37 + Math.sin(at), at * 0.73 + Math.cos(at)]);
    put(ann, "stroke", { ...shape("stroke", "freedraw"), points, pressures: points.map(() => Math.random()), simulatePressure: false });
  }
  expect(writes).toBe(0);
  ann.binding.release();
  expect(bytes).toBeGreaterThan(400 * 2 * 8);
  expect(bytes).toBeLessThan(20 * 1024);
  expect(writes).toBeLessThanOrEqual(2);
});

test("among 4,000 shapes a change from elsewhere touches one", { timeout: 30_000 }, () => {
  const { ann, bo } = together();
  const many = Array.from({ length: 4_000 }, (_, at) => ({ ...shape(`shape ${at}`), versionNonce: at, index: `a0${String(at).padStart(5, "0")}V` }));
  ann.view.show(many as unknown as BoardElement[]);
  ann.binding.changed();
  expect(bo.view.replaced()).toBe(4_000);
  const before = new Map(bo.view.elements().map((element) => [element.id, element]));
  put(ann, "shape 1234", { x: 777 });
  expect(bo.view.replaced()).toBe(1);
  expect(bo.view.elements().filter((element) => before.get(element.id) !== element).map(({ id }) => id)).toEqual(["shape 1234"]);
});

test("undo takes back one's own shape and leaves a colleague's; redo brings it back to both", () => {
  const { ann, bo } = together();
  put(ann, "hers");
  put(bo, "his");
  ann.binding.history.undo();
  for (const side of [ann, bo]) expect(order(side)).toEqual(["his"]);
  expect(ann.binding.history.canUndo()).toBe(false);
  ann.binding.history.redo();
  for (const side of [ann, bo]) expect(order(side)).toEqual(["hers", "his"]);
  bo.binding.changed();
  expect(bo.binding.history.canRedo()).toBe(false);
});

test("a creation undone and redone keeps what a colleague did to the shape, before and meanwhile", () => {
  const { ann, bo, apart } = together();
  put(ann, "a");
  put(bo, "a", { strokeColor: "#2f9e44" });
  apart(() => {
    ann.binding.history.undo();
    put(bo, "a", { x: 300 });
  });
  for (const side of [ann, bo]) expect(order(side)).toEqual([]);
  ann.binding.history.redo();
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ isDeleted: false, strokeColor: "#2f9e44", x: 300 });
});

test("undo does not take back a colleague's later word on the same field", () => {
  const { ann, bo } = together();
  put(ann, "a");
  ann.binding.release();
  put(ann, "a", { strokeColor: "#e03131" });
  put(bo, "a", { strokeColor: "#2f9e44" });
  ann.binding.history.undo();
  for (const { view } of [ann, bo]) expect(view.get("a")?.["strokeColor"]).toBe("#2f9e44");
});

test("changes in quick succession are one step; a pointer that came up ends it", () => {
  const { ann } = together();
  put(ann, "a");
  ann.binding.release();
  for (const x of [11, 12, 13]) put(ann, "a", { x });
  ann.binding.release();
  put(ann, "a", { y: 99 });
  ann.binding.history.undo();
  expect(ann.view.get("a")).toMatchObject({ x: 13, y: 20 });
  ann.binding.history.undo();
  expect(ann.view.get("a")).toMatchObject({ x: 10, y: 20 });
});

test("where nothing may be written nothing is, not even by undo; what was in hand before is, and the rest once it may again", () => {
  const { ann, bo } = together();
  put(ann, "a");
  ann.binding.hold();
  put(ann, "b");
  expect(order(bo)).toEqual(["a"]);
  let asked = 0;
  ann.binding.history.subscribe(() => (asked += 1));
  ann.binding.allow(false);
  expect(order(bo)).toEqual(["a", "b"]);
  expect(asked).toBeGreaterThan(0);
  ann.binding.release();

  const written: unknown[] = [];
  ann.doc.on("update", (_update: Uint8Array, origin: unknown) => origin !== "network" && written.push(origin));
  put(ann, "c");
  put(ann, "a", { x: 500 });
  ann.binding.pause();
  ann.binding.flush();
  ann.binding.history.undo();
  expect([written, ann.binding.history.canUndo()]).toEqual([[], false]);
  put(bo, "a", { strokeColor: "#e03131" });
  expect(ann.view.get("a"), "what others do is seen all the same").toMatchObject({ strokeColor: "#e03131" });
  ann.binding.allow(true);
  expect(order(bo)).toEqual(["a", "b", "c"]);
  expect(bo.view.get("a")).toMatchObject({ x: 500, strokeColor: "#e03131" });
});

test("a shape deleted before anybody heard of it is never written", () => {
  const { ann } = together();
  ann.binding.hold();
  put(ann, "a");
  ann.view.remove("a");
  ann.binding.release();
  expect(ann.doc.getMap("elements").size).toBe(0);
});

test("another program takes a key away: the shape goes, and nobody's tombstone brings the key back", () => {
  const { ann, bo } = together();
  put(ann, "a");
  ann.doc.getMap("elements").delete("a");
  for (const side of [ann, bo]) expect(order(side)).toEqual([]);
  put(bo, "a", { x: 5 });
  bo.binding.flush();
  expect(bo.doc.getMap("elements").has("a")).toBe(false);
});

test("deleted here while moved there: deleted, and the move is there when the deletion is undone", () => {
  const { ann, bo, apart } = together();
  put(ann, "a");
  ann.binding.release();
  apart(() => {
    remove(ann, "a");
    put(bo, "a", { x: 300 });
  });
  for (const side of [ann, bo]) expect(order(side)).toEqual([]);
  ann.binding.history.undo();
  for (const { view } of [ann, bo]) expect(view.get("a")).toMatchObject({ isDeleted: false, x: 300 });
});

test("two people bind arrows to one shape at the same time: it knows both", () => {
  const { ann, bo, apart } = together();
  put(ann, "box");
  const bind = (side: Replica, arrow: string): void => {
    side.view.put(arrow, { ...shape(arrow, "arrow"), points: [[0, 0], [9, 9]], startBinding: { elementId: "box", focus: 0, gap: 1 }, endBinding: null });
    side.view.put("box", { boundElements: [{ id: arrow, type: "arrow" }] });
    side.binding.changed();
  };
  apart(() => {
    bind(ann, "arrow 1");
    bind(bo, "arrow 2");
  });
  for (const { view } of [ann, bo]) {
    expect((view.get("box")?.["boundElements"] as { id: string }[]).map(({ id }) => id).sort()).toEqual(["arrow 1", "arrow 2"]);
  }
});

test("two people write into one shape at the same time: one text is inside, the other stands free, both are there", () => {
  const { ann, bo, apart } = together();
  put(ann, "box");
  const label = (side: Replica, text: string): void => {
    side.view.put(text, { ...shape(text, "text"), text, containerId: "box" });
    side.view.put("box", { boundElements: [{ id: text, type: "text" }] });
    side.binding.changed();
  };
  apart(() => {
    label(ann, "from Ann");
    label(bo, "from Bo");
  });
  for (const { view } of [ann, bo]) {
    const inside = ["from Ann", "from Bo"].filter((id) => view.get(id)?.["containerId"] === "box");
    expect(inside).toHaveLength(1);
    expect(view.get("box")?.["boundElements"]).toEqual([{ id: inside[0], type: "text" }]);
    expect(view.alive()).toHaveLength(3);
  }
});

test("what a shape is tied to may arrive after it", () => {
  const author = replica(new Doc());
  const parts: Uint8Array[] = [];
  author.doc.on("update", (update: Uint8Array) => parts.push(update));
  put(author, "frame", { ...shape("frame", "frame"), name: null });
  put(author, "box", { frameId: "frame" });
  author.view.put("label", { ...shape("label", "text"), text: "hello", containerId: "box" });
  author.view.put("box", { boundElements: [{ id: "label", type: "text" }] });
  author.binding.changed();

  // Another author of another document, so that parts need not wait for each other inside Yjs.
  const reader = replica(new Doc());
  const elements = reader.doc.getMap<YMap<unknown>>("elements");
  const bring = (id: string): void => void elements.set(id, stored(author, id).clone());
  bring("label");
  expect(reader.view.get("label")?.["containerId"]).toBe(null);
  bring("box");
  expect(reader.view.get("label")?.["containerId"]).toBe("box");
  expect(reader.view.get("box")).toMatchObject({ frameId: null, boundElements: [{ id: "label", type: "text" }] });
  bring("frame");
  expect(reader.view.get("box")?.["frameId"]).toBe("frame");
  expect(reader.view.get("label")?.["frameId"]).toBe("frame");
});

test("a text is in the frame its container is in, whatever is stored, and goes in and out with it", () => {
  const { ann, bo, apart } = together();
  put(ann, "frame", { ...shape("frame", "frame"), name: null });
  put(ann, "box");
  ann.view.put("label", { ...shape("label", "text"), text: "hello", containerId: "box", frameId: "frame" });
  ann.view.put("box", { boundElements: [{ id: "label", type: "text" }] });
  ann.binding.changed();
  const frames = (): readonly unknown[] => [ann, bo].map(({ view }) => ["box", "label"].map((id) => view.get(id)?.["frameId"]));
  expect(frames()).toEqual([[null, null], [null, null]]);
  put(bo, "box", { frameId: "frame" });
  expect(frames()).toEqual([["frame", "frame"], ["frame", "frame"]]);
  apart(() => {
    put(ann, "label", { frameId: null });
    put(bo, "frame", { isDeleted: true });
  });
  expect(frames()).toEqual([[null, null], [null, null]]);
  put(bo, "frame", { isDeleted: false });
  expect(frames()).toEqual([["frame", "frame"], ["frame", "frame"]]);
});

test("a text is written on a pause, and kept from others' hands while the caret is in it", () => {
  const { ann, bo } = together();
  ann.binding.unfinished({ text: "t" });
  ann.view.put("box", { ...shape("box"), boundElements: [{ id: "t", type: "text" }] });
  put(ann, "t", { ...shape("t", "text"), text: "", containerId: "box" });
  ann.binding.pause();
  expect(order(bo)).toEqual([]);
  put(ann, "t", { text: "Hel" });
  expect(order(bo)).toEqual([]);
  ann.binding.pause();
  expect(order(bo)).toEqual(["box", "t"]);

  put(bo, "t", { text: "Bo was here", strokeColor: "#e03131" });
  expect(ann.view.get("t")).toMatchObject({ text: "Hel", strokeColor: "#e03131" });
  put(ann, "t", { text: "Hello" });
  ann.binding.unfinished({});
  for (const { view } of [ann, bo]) expect(view.get("t")).toMatchObject({ text: "Hello", strokeColor: "#e03131" });
});

test("a caret that wrote nothing gives way to what another wrote meanwhile", () => {
  const { ann, bo } = together();
  put(ann, "t", { ...shape("t", "text"), text: "before" });
  ann.binding.unfinished({ text: "t" });
  put(bo, "t", { text: "after" });
  expect(ann.view.get("t")?.["text"]).toBe("before");
  ann.binding.unfinished({});
  for (const { view } of [ann, bo]) expect(view.get("t")?.["text"]).toBe("after");
});

/** A text on the board of both, and each with the caret in it. */
function writers(): ReturnType<typeof together> & { readonly type: (side: Replica, words: string) => void; readonly words: () => readonly unknown[] } {
  const both = together();
  put(both.ann, "t", { ...shape("t", "text"), ...WHOLE["text"], text: "Base", originalText: "Base" });
  for (const { binding } of [both.ann, both.bo]) binding.unfinished({ text: "t" });
  return {
    ...both,
    type: (side, words) => put(side, "t", { text: words, originalText: words }),
    words: () => [both.ann, both.bo].flatMap(({ view }) => [view.get("t")?.["originalText"], view.get("t")?.["text"]]),
  };
}

test("two people write in one text at once: the words of both are there, and for other programs it is a plain text", () => {
  const { ann, bo, type, words } = writers();
  type(ann, "Base by Ann");
  type(bo, "Base by Bo");
  ann.binding.pause();
  bo.binding.unfinished({});
  ann.binding.unfinished({});
  expect(words()).toEqual(Array.from({ length: 4 }, () => "Base by Ann by Bo"));
  expect(stored(ann, "t").toJSON()["originalText"]).toBe("Base by Ann by Bo");
});

test("two people write in one text apart: the words of both are there when they meet, also after several pauses", () => {
  const { ann, bo, apart, type, words } = writers();
  apart(() => {
    for (const more of ["One. Base", "One. Two. Base"]) {
      type(ann, more);
      ann.binding.pause();
    }
    ann.binding.unfinished({});
    type(bo, "Base. End");
    bo.binding.unfinished({});
  });
  expect(words()).toEqual(Array.from({ length: 4 }, () => "One. Two. Base. End"));
});

test("what others write appears under the caret where the view can put it, and what is typed there goes on from it", () => {
  const { doc, view, binding } = replica(new Doc(), Math.random, true);
  view.put("t", { ...shape("t", "text"), ...WHOLE["text"], text: "Base", originalText: "Base" });
  binding.changed();
  binding.unfinished({ text: "t" });
  view.put("t", { text: "Base!", originalText: "Base!" });
  binding.changed();
  const words = (doc.getMap<YMap<unknown>>("elements").get("t") as YMap<YText>).get("originalText") as YText;
  words.insert(0, "The ");
  expect(view.get("t")?.["originalText"]).toBe("The Base!");
  expect(words.toJSON()).toBe("The Base");
  view.put("t", { text: "The Base!?", originalText: "The Base!?" });
  binding.pause();
  expect(words.toJSON()).toBe("The Base!?");
  binding.unfinished({});
  expect(view.get("t")?.["originalText"]).toBe("The Base!?");
});

test("lines that are of other words are broken anew, by the view and never in the document", () => {
  const { ann, bo } = together();
  put(ann, "t", { ...shape("t", "text"), ...WHOLE["text"], text: "two\nlines", originalText: "two lines" });
  expect(bo.view.get("t")?.["text"]).toBe("two\nlines");
  (stored(ann, "t").get("originalText") as YText).insert(0, "of ");
  for (const { view } of [ann, bo]) expect(view.get("t")).toMatchObject({ text: "of two lines", originalText: "of two lines" });
  expect(stored(ann, "t").get("text")).toBe("two\nlines");
});

test("what is in somebody's hand is shown to others and written by nobody but them", () => {
  const { ann, bo } = together();
  put(ann, "old");
  ann.binding.hold();
  put(ann, "old", { x: 40 });
  put(ann, "new");
  bo.binding.showInHand(ann.binding.inHand());
  expect(bo.view.get("old")?.x).toBe(40);
  expect(bo.view.get("new")).toMatchObject({ isDeleted: false, locked: true });
  bo.binding.changed();
  bo.binding.flush();
  expect(bo.doc.getMap("elements").has("new")).toBe(false);
  expect(stored(bo, "old").get("x")).toBe(10);

  // Bo takes the same shape by another corner meanwhile.
  put(bo, "old", { strokeColor: "#e03131" });
  expect(ann.view.get("old")?.["strokeColor"]).toBe("#e03131");

  ann.binding.release();
  bo.binding.showInHand(new Map());
  for (const { view } of [ann, bo]) {
    expect(view.get("old")).toMatchObject({ x: 40, strokeColor: "#e03131" });
    expect(view.get("new")).toMatchObject({ locked: false });
  }
});

test("whoever vanishes with a shape in hand leaves no trace of it", () => {
  const { ann, bo } = together();
  put(ann, "old");
  ann.binding.hold();
  put(ann, "old", { x: 40 });
  put(ann, "new");
  bo.binding.showInHand(ann.binding.inHand());
  bo.binding.showInHand(new Map());
  expect(bo.view.elements().map(({ id, x }) => [id, x])).toEqual([["old", 10]]);
});

test("both put a shape on top at the same time: the same order for all, also after the next reordering", () => {
  const { ann, bo, apart } = together();
  put(ann, "bottom");
  apart(() => {
    put(ann, "b");
    put(bo, "a");
  });
  expect(order(ann)).toEqual(order(bo));
  // Counted between two shapes of which the document says that they stand at the same place.
  const [, middle, top] = ann.view.alive();
  ann.view.put("between", { index: `${String(middle?.index)}V` });
  ann.view.show([...ann.view.elements()].sort((one, other) => (String(one.index) < String(other.index) ? -1 : 1)));
  ann.binding.changed();
  expect(order(ann)).toEqual(["bottom", middle?.id, "between", top?.id]);
  expect(order(bo)).toEqual(order(ann));
});

test("whatever another program stored, something harmless is shown, and nothing is written", () => {
  const doc = new Doc();
  const elements = doc.getMap("elements");
  const store = (id: string, fields: Readonly<Record<string, unknown>>): void => void elements.set(id, new YMap(Object.entries(fields)));
  elements.set("not a map", 7);
  store("no type", { x: 1 });
  store("unknown", { type: "hologram" });
  store("bare", { type: "rectangle" });
  store("odd", { type: "rectangle", x: NaN, y: 1e300, strokeColor: 7, groupIds: ["g", 7], index: "!", boundElements: [7, { id: "nobody" }] });
  store("line", { type: "arrow", width: 30, height: 40, startBinding: { elementId: "nobody", focus: 0, gap: 0 }, endBinding: "x" });
  store("stroke", { type: "freedraw", points: [[1], "x", [1, 2]], pressures: ["x"] });
  store("text", { type: "text", text: 7, fontSize: -1, containerId: "nobody", frameId: "nobody" });
  store("link", { type: "ellipse", link: "javascript:alert(1)" });
  const before = encodeStateAsUpdate(doc);

  const view = fakeView();
  const binding = bindBoard({ doc, view });
  expect(view.alive().map(({ id }) => id).sort()).toEqual(["bare", "line", "link", "odd", "stroke", "text"]);
  expect(view.get("bare")).toMatchObject({ x: 0, width: 0, strokeColor: "#1e1e1e", groupIds: [], isDeleted: false });
  expect(view.get("odd")).toMatchObject({ x: 0, y: 1e7, strokeColor: "#1e1e1e", groupIds: ["g"], boundElements: [] });
  expect(view.get("line")).toMatchObject({ points: [[0, 0], [30, 40]], startBinding: null, endBinding: null });
  expect(view.get("stroke")).toMatchObject({ points: [[1, 2]], pressures: [] });
  expect(view.get("text")).toMatchObject({ text: "", fontSize: 20, containerId: null, frameId: null });
  expect(view.get("link")?.["link"]).toBe(null);
  binding.changed();
  binding.flush();
  expect(encodeStateAsUpdate(doc)).toEqual(before);
});

test("a link that names no scheme is on the web; one that could run is none", () => {
  const { ann } = together();
  const read = (link: unknown): unknown => {
    put(ann, "a", { link });
    return ann.view.get("a")?.["link"];
  };
  expect(read("example.org/wool?kind=merino")).toBe("https://example.org/wool?kind=merino");
  expect(read("example.org:8080")).toBe("https://example.org:8080");
  for (const link of ["https://example.org", "mailto:ann@example.org", "/d/other"]) expect(read(link)).toBe(link);
  for (const link of ["javascript:alert(1)", "data:text/html,x", "//example.org", "no host at all", "word"]) expect(read(link)).toBe(null);
});

test("closing writes what was still held back", () => {
  const { ann, bo } = together();
  ann.binding.hold();
  put(ann, "a");
  ann.binding.dispose();
  expect(order(bo)).toEqual(["a"]);
});
