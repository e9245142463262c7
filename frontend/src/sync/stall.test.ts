// A clock and a server in script: when it is asked, and what is made of its answer.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LOOK, watchStalls, type Stall, type StallWatch } from "./stall";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Stage {
  readonly watch: StallWatch;
  readonly told: Stall[];
  readonly asked: () => number;
  readonly answers: (answer: boolean | "never" | "fails") => void;
  readonly pass: (ms: number) => Promise<unknown>;
}

function stage(): Stage {
  const told: Stall[] = [];
  let answer: boolean | "never" | "fails" = false;
  let asked = 0;
  const watch = watchStalls({
    refusesToStore: () => {
      asked += 1;
      if (answer === "never") return new Promise(() => undefined);
      return answer === "fails" ? Promise.reject(new Error("no network")) : Promise.resolve(answer);
    },
    stalled: (why) => void told.push(why),
  });
  return { watch, told, asked: () => asked, answers: (next) => void (answer = next), pass: (ms) => vi.advanceTimersByTimeAsync(ms) };
}

test("a server that says it cannot store is believed at the first look, and not before", async () => {
  const { watch, told, asked, answers, pass } = stage();
  answers(true);
  watch.waiting(1);
  await pass(LOOK - 1);
  expect(asked()).toBe(0);
  await pass(1);
  expect(told).toEqual(["not-stored"]);
});

test("silence that nobody explains is said after three looks", async () => {
  const { watch, told, answers, pass } = stage();
  watch.waiting(1);
  await pass(2 * LOOK);
  expect(told).toEqual([]);
  answers("fails");
  await pass(LOOK);
  expect(told).toEqual(["unconfirmed"]);
  answers(true);
  await pass(LOOK);
  expect(told).toEqual(["unconfirmed", "not-stored"]);
});

test("whoever goes on writing does not put the question off, and each acknowledgement does", async () => {
  const { watch, told, asked, answers, pass } = stage();
  answers(true);
  for (let count = 1; count < 50; count++) {
    watch.waiting(count);
    await pass(LOOK / 50);
  }
  expect(asked()).toBe(0);
  watch.waiting(48);
  await pass(LOOK - 1);
  expect(asked()).toBe(0);
  watch.waiting(49);
  await pass(1);
  expect(told).toEqual(["not-stored"]);
});

test("an answer that comes after the acknowledgement says nothing any more", async () => {
  const { watch, told, answers, pass } = stage();
  answers("never");
  watch.waiting(2);
  await pass(LOOK);
  answers(true);
  watch.waiting(0);
  watch.waiting(1);
  await pass(LOOK - 1);
  expect(told).toEqual([]);
  await pass(1);
  expect(told).toEqual(["not-stored"]);
  watch.dispose();
  await pass(10 * LOOK);
  expect(told).toHaveLength(1);
});

test("a line that drops before each look does not put the question off, and time without one does not count", async () => {
  const { watch, told, asked, answers, pass } = stage();
  answers(true);
  for (let times = 0; times < 3; times++) {
    watch.waiting(null);
    await pass(10 * LOOK);
    expect(told).toEqual([]);
    watch.waiting(1);
    await pass(LOOK * 0.4);
  }
  expect([told, asked()]).toEqual([["not-stored"], 1]);
  // The next line is told what is known of it, until something is acknowledged on it.
  watch.waiting(null);
  watch.waiting(1);
  await pass(0);
  expect(told).toEqual(["not-stored", "not-stored"]);
  watch.waiting(0);
  watch.waiting(null);
  watch.waiting(1);
  await pass(LOOK - 1);
  expect([told.length, asked()]).toEqual([2, 1]);
});
