import { expect, test } from "vitest";
import { parseName, type DocumentName } from "../documents/name";
import { LATER, type Sending } from "../sync/send-copy";
import { openRounds } from "./round";

const NAMES = ["a", "b", "c"].map((name) => parseName(name) as DocumentName);

/** Documents and what becomes of them, by name; an error is thrown. */
function stage(outcomes: Record<string, Sending | Error>, idle: readonly string[] = []) {
  const [asked, settled]: [string[], string[]] = [[], []];
  let now = 0;
  const rounds = openRounds(
    {
      waits: (name) => Promise.resolve(!idle.includes(name)),
      send: (name) => {
        asked.push(name);
        const outcome = outcomes[name] ?? "sent";
        return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve([outcome]);
      },
      settle: (name) => Promise.resolve(void settled.push(name)),
    },
    () => now,
  );
  return { asked, settled, outcomes, rounds, go: () => rounds.go(NAMES), after: (ms: number) => void (now += ms) };
}

test("a document that cannot be read, or written down, starves none behind it, and rests longer each time", async () => {
  const { asked, outcomes, rounds, go, after } = stage({ a: new DOMException("full", "QuotaExceededError"), b: LATER });
  expect(await go()).toEqual({ sent: true, more: true, wait: 0 });
  expect(asked).toEqual(["a", "b", "c"]);
  asked.length = 0;
  for (let second = 0; second < 3_600; second++) {
    await go();
    after(1_000);
  }
  const tries = asked.filter((name) => name === "a").length;
  expect(tries).toBeGreaterThan(10);
  expect(tries).toBeLessThan(20);
  // Somebody had it open: it is tried again without a rest.
  outcomes["a"] = "sent";
  asked.length = 0;
  rounds.retry("a");
  await go();
  expect(asked).toContain("a");
});

test("a server that is away, or wants to be left alone, is asked once in a round, and about another document in the next", async () => {
  const { asked, outcomes, go } = stage({ a: { everywhere: true, after: 9_000 }, b: { everywhere: true, after: 0 } });
  expect(await go()).toEqual({ sent: false, more: true, wait: 9_000 });
  expect(asked).toEqual(["a"]);
  await go();
  expect(asked).toEqual(["a", "b"]);
  outcomes["b"] = "sent";
  expect(await go()).toMatchObject({ sent: true, more: true });
  expect(asked).toEqual(["a", "b", "c", "a"]);
  await go();
  expect(asked).toEqual(["a", "b", "c", "a", "b", "c", "a"]);
});

test("what a document waits for by its own server's word is waited for", async () => {
  const { asked, go, after } = stage({ a: { everywhere: false, after: 60_000 } });
  await go();
  after(59_000);
  await go();
  expect(asked.filter((name) => name === "a")).toHaveLength(1);
  after(1_000);
  await go();
  expect(asked.filter((name) => name === "a")).toHaveLength(2);
});

test("where nothing waits nothing is asked, and it is settled; a refusal is no reason for another round", async () => {
  const { asked, settled, go } = stage({ b: { status: 413, code: "too_large", message: "" }, c: LATER }, ["a"]);
  expect(await go()).toEqual({ sent: false, more: true, wait: 0 });
  expect([asked, settled]).toEqual([["b", "c"], ["a", "b"]]);
});
