import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc } from "yjs";
import { BETWEEN, handsOf, othersIn, publisher, type OnBoard } from "./presence";

const quiet: OnBoard = { pointer: null, selected: [], inHand: new Map(), view: null, following: null };
const user = { id: "a", name: "Ann", color: "#0e7490" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function someone(): { readonly awareness: Awareness; readonly told: () => unknown } {
  const awareness = new Awareness(new Doc());
  awareness.setLocalStateField("user", user);
  return { awareness, told: () => awareness.getLocalState()?.["board"] as unknown };
}

test("at most twenty messages a second, and the last word is always said", () => {
  const { awareness } = someone();
  const { publish, dispose } = publisher(awareness);
  let messages = 0;
  awareness.on("update", () => (messages += 1));
  for (let ms = 0; ms < 1_000; ms += 5) {
    publish(() => ({ ...quiet, pointer: { x: ms, y: 0, tool: "pointer", button: "up" } }));
    vi.advanceTimersByTime(5);
  }
  expect(messages).toBeGreaterThan(15);
  expect(messages).toBeLessThanOrEqual(1_000 / BETWEEN + 1);
  vi.advanceTimersByTime(BETWEEN);
  expect(othersIn(awareness.getStates(), -1).get(awareness.clientID)?.pointer?.x).toBe(995);
  dispose();
  expect(othersIn(awareness.getStates(), -1).get(awareness.clientID)?.pointer).toBe(null);
});

test("who does nothing says nothing", () => {
  const { awareness } = someone();
  const { publish } = publisher(awareness);
  publish(() => quiet);
  vi.advanceTimersByTime(BETWEEN);
  let messages = 0;
  awareness.on("update", () => (messages += 1));
  publish(() => quiet);
  vi.advanceTimersByTime(BETWEEN);
  expect(messages).toBe(0);
});

test("a long stroke in the hand is told with few points, the first and the last among them", () => {
  const { awareness, told } = someone();
  const points = Array.from({ length: 5_000 }, (_, at) => [at / 3, at / 7]);
  publisher(awareness).publish(() => ({ ...quiet, inHand: new Map([["s", { type: "freedraw", points, pressures: points.map(() => 0.5) }]]) }));
  vi.advanceTimersByTime(BETWEEN);
  expect(JSON.stringify(told()).length).toBeLessThan(4_000);
  const shown = othersIn(awareness.getStates(), -1).get(awareness.clientID)?.inHand.get("s")?.["points"] as number[][];
  expect([shown[0], shown.at(-1)]).toEqual([[0, 0], [1666.3, 714.1]]);
});

test("however much is selected or in the hand, the server takes what is told of it", () => {
  const selected = Array.from({ length: 4_000 }, (_, at) => `an-id-of-21-letters-${at}`);
  const shape = { type: "rectangle", x: 1, y: 2, width: 3, height: 4, strokeColor: "#1e1e1e", text: "文字".repeat(50) };
  for (const inHand of [new Map(), new Map(selected.slice(0, 5).map((id) => [id, shape])), new Map(selected.slice(0, 30).map((id) => [id, shape]))]) {
    const { awareness, told } = someone();
    publisher(awareness).publish(() => ({ ...quiet, pointer: { x: 1, y: 2, tool: "pointer", button: "up" }, selected, inHand, view: [0, 0, 100, 100] }));
    vi.advanceTimersByTime(BETWEEN);
    const other = othersIn(awareness.getStates(), -1).get(awareness.clientID);
    expect(new TextEncoder().encode(JSON.stringify(told())).length).toBeLessThanOrEqual(3_450);
    expect(other?.selected.length).toBeGreaterThan(30);
    expect(other?.inHand.size).toBe(inHand.size > 5 ? 0 : inHand.size);
  }
});

test("whatever others announce, something harmless is read", () => {
  const odd = [
    null,
    7,
    { pointer: { x: "1", y: 2 }, selected: [7, "id"], inHand: [], view: [0, 0, -1, 5] },
    { pointer: { x: 1, y: 2, tool: "axe", button: 3 }, inHand: { gone: { isDeleted: true }, odd: 7, film: { type: "hologram" }, moved: { x: 3 } } },
  ];
  const states = new Map<number, unknown>([[99, { board: { pointer: { x: 1, y: 1 } } }], ...odd.map((board, at) => [at, { user, board }] as const)]);
  const others = othersIn(states, 5);
  expect([...others.keys()]).toEqual([0, 1, 2, 3]);
  expect(others.get(2)).toMatchObject({ pointer: null, selected: ["id"], view: null });
  expect(others.get(3)).toMatchObject({ pointer: { x: 1, y: 2, tool: "pointer", button: "up" } });
  expect([...handsOf(others)]).toEqual([["moved", { x: 3 }]]);
});

test("two hands on one shape: each field as somebody has it", () => {
  const states = new Map<number, unknown>([
    [1, { user, board: { inHand: { a: { x: 1 } } } }],
    [2, { user, board: { inHand: { a: { strokeColor: "#fff" }, b: { y: 2 } } } }],
  ]);
  expect([...handsOf(othersIn(states, 5))]).toEqual([["a", { x: 1, strokeColor: "#fff" }], ["b", { y: 2 }]]);
});
