// @vitest-environment happy-dom
// When it is sent: a clock, signals and a server in script.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { adoptUnsent, forgetUnsent, rememberUnsent, unsentDocuments } from "../documents/unsent";
import type { Round } from "./round";
import { startSender } from "./sender";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  localStorage.clear();
});

const DONE: Round = { sent: true, more: false, wait: 0 };
const IN_VAIN: Round = { sent: false, more: true, wait: 0 };

function stage(answers: Round | Error) {
  let answer = answers;
  const signals: Record<string, (value?: never) => void> = {};
  const on =
    (name: string) =>
    (listener: (value: never) => void): (() => void) => {
      signals[name] = (value) => listener(value ?? ("up" as never));
      return () => void delete signals[name];
    };
  const send = vi.fn((left: readonly string[]) => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ ...answer, left })));
  const handOver = vi.fn();
  const end = startSender({ signals: { onNetwork: on("network"), onWake: on("wake"), onLeft: on("left"), onHidden: on("hidden") }, send, handOver });
  const tell = (name: string, value?: unknown): Promise<unknown> => {
    signals[name]?.(value as never);
    return vi.advanceTimersByTimeAsync(0);
  };
  return { send, handOver, end, signals, tell, tries: () => send.mock.calls.length, answers: (next: typeof answers) => void (answer = next) };
}

test("nothing is fetched or asked as long as nothing waits", async () => {
  const { tries, handOver, tell, end } = stage(IN_VAIN);
  for (const signal of ["network", "wake", "left", "hidden"]) await tell(signal);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([tries(), handOver.mock.calls.length]).toEqual([0, 0]);
  end();
});

test("what waits is sent at once, again with growing pauses while nobody answers, and when there is a network again", async () => {
  rememberUnsent("a");
  const { tries, answers, tell, end } = stage(IN_VAIN);
  await vi.advanceTimersByTimeAsync(0);
  expect(tries()).toBe(1);
  await vi.advanceTimersByTimeAsync(120_000);
  const before = tries();
  expect(before).toBeGreaterThan(4);
  expect(before).toBeLessThan(16);
  await tell("network", "down");
  expect(tries()).toBe(before);
  answers(DONE);
  await tell("network", "up");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(tries()).toBe(before + 1);
  end();
});

test("going to and fro between windows asks a server that did not answer once in five seconds", async () => {
  rememberUnsent("a");
  const { tries, tell, end } = stage(IN_VAIN);
  // The pauses between tries of its own are far longer by then.
  await vi.advanceTimersByTimeAsync(300_000);
  const before = tries();
  for (let second = 0; second < 20; second++) {
    for (let times = 0; times < 10; times++) await tell("wake");
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(tries() - before).toBeGreaterThan(2);
  expect(tries() - before).toBeLessThan(7);
  end();
});

test("a server that wants to be left alone is left alone, whatever happens here", async () => {
  rememberUnsent("a");
  const { tries, send, answers, tell, end } = stage({ ...IN_VAIN, wait: 60_000 });
  await vi.advanceTimersByTimeAsync(0);
  for (const [signal, value] of [["wake", undefined], ["network", "up"], ["left", "b"]] as const) await tell(signal, value);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(tries()).toBe(1);
  answers(DONE);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(tries()).toBe(2);
  // What was left meanwhile is not forgotten.
  expect(send.mock.calls.at(-1)).toEqual([["b"]]);
  end();
});

test("what was left is sent at once, and is said to be new", async () => {
  rememberUnsent("a");
  const { send, tell, end } = stage(IN_VAIN);
  await vi.advanceTimersByTimeAsync(0);
  await tell("left", "a");
  expect(send.mock.calls).toEqual([[[]], [["a"]]]);
  end();
});

test("the worker is asked to see to it when nothing came of it, when the network goes, and when the page does", async () => {
  rememberUnsent("a");
  const { handOver, tell, end } = stage(IN_VAIN);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(handOver.mock.calls.length).toBe(1);
  await tell("network", "down");
  await tell("hidden");
  expect(handOver.mock.calls.length).toBe(3);
  end();
});

test("a part that could not be fetched is fetched later, what was refused is not asked about again by itself, and an end is one", async () => {
  rememberUnsent("a");
  const { tries, answers, end, signals } = stage(new Error("no such part"));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(tries()).toBeGreaterThan(1);
  answers({ ...IN_VAIN, more: false });
  await vi.advanceTimersByTimeAsync(60_000);
  const before = tries();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(tries()).toBe(before);
  end();
  expect(signals).toEqual({});
});

test("names are written down once each, and taken out one by one", () => {
  for (const name of ["b", "a", "b"]) rememberUnsent(name);
  expect(unsentDocuments()).toEqual(["a", "b"]);
  forgetUnsent("a");
  expect(unsentDocuments()).toEqual(["b"]);
  localStorage.setItem("weft.unsent", "{nonsense");
  adoptUnsent();
  localStorage.setItem("weft.unsent", JSON.stringify(["of before", 3, ""]));
  adoptUnsent();
  expect(unsentDocuments()).toEqual(["b", "of before"]);
  expect(localStorage.getItem("weft.unsent")).toBeNull();
});

test("what a full record does not take is known as long as the page is", () => {
  const full = vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  rememberUnsent("a");
  full.mockRestore();
  expect(unsentDocuments()).toEqual(["a"]);
  forgetUnsent("a");
  expect(unsentDocuments()).toEqual([]);
});
