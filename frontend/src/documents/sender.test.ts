// @vitest-environment happy-dom
// When it is sent: a clock, signals and a server in script.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startSender } from "./sender";
import { forgetUnsent, rememberUnsent, unsentDocuments } from "./unsent";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  localStorage.clear();
});

function stage(answers: { sent: boolean; more: boolean } | Error) {
  let answer = answers;
  const signals: Record<string, (value?: "up" | "down") => void> = {};
  const on = (name: string) => (listener: (network: "up" | "down") => void) => {
    signals[name] = (value) => listener(value ?? "up");
    return () => void delete signals[name];
  };
  const send = vi.fn(() => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)));
  const end = startSender({ signals: { onNetwork: on("network"), onWake: on("wake") }, send });
  return { send, end, signals, answers: (next: typeof answers) => void (answer = next) };
}

test("nothing is fetched or asked as long as nothing waits", async () => {
  const { send, signals, end } = stage({ sent: false, more: false });
  for (const signal of ["network", "wake"]) signals[signal]?.();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(send.mock.calls.length).toBe(0);
  end();
});

test("what waits is sent at once, again with growing pauses while nobody answers, and at every sign of a network", async () => {
  rememberUnsent("a");
  const { send, signals, answers, end } = stage({ sent: false, more: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(send.mock.calls.length).toBe(1);
  await vi.advanceTimersByTimeAsync(120_000);
  const tries = send.mock.calls.length;
  expect(tries).toBeGreaterThan(4);
  expect(tries).toBeLessThan(16);
  signals["network"]?.("down");
  await vi.advanceTimersByTimeAsync(0);
  expect(send.mock.calls.length).toBe(tries);
  answers({ sent: true, more: false });
  signals["network"]?.("up");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(send.mock.calls.length).toBe(tries + 1);
  end();
});

test("a part that could not be fetched is fetched later, what was refused is not asked about again by itself, and an end is one", async () => {
  rememberUnsent("a");
  const { send, answers, end, signals } = stage(new Error("no such part"));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(send.mock.calls.length).toBeGreaterThan(1);
  answers({ sent: false, more: false });
  await vi.advanceTimersByTimeAsync(60_000);
  const tries = send.mock.calls.length;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(send.mock.calls.length).toBe(tries);
  end();
  expect(signals).toEqual({});
});

test("names are written down once, and taken out", () => {
  for (const name of ["a", "b", "a"]) rememberUnsent(name);
  expect(unsentDocuments()).toEqual(["a", "b"]);
  forgetUnsent("a");
  expect(unsentDocuments()).toEqual(["b"]);
  localStorage.setItem("weft.unsent", "{nonsense");
  expect(unsentDocuments()).toEqual([]);
});
