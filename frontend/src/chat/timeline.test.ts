import { expect, test } from "vitest";
import { after, ANN, fresh, history, message, person, says } from "./fixtures";
import { nameMessage } from "./protocol";
import { timeline, type Entry } from "./timeline";

const told = (entries: readonly Entry[]): readonly unknown[] =>
  entries.map((entry) => (entry.kind === "said" ? `${entry.own ? "I" : entry.name}: ${entry.parts.map(({ text, waiting }) => (waiting === null ? text : `${text}…`)).join(" / ")}` : entry.kind));

test("messages of one person stand together, days and comings apart, and what waits at the end", () => {
  const mine = nameMessage(ANN, "#0e7490");
  const state = after(
    fresh(),
    history([message(1, "Bo", "a"), message(2, "Bo", "b"), message(3, "Ann", "c", mine), message(400, "Bo", "d"), message(900_000, "Bo", "e")]),
    { type: "heard", heard: { type: "join", person: person("Cy") }, now: 0 },
    says(message(900_001, "Bo", "f")),
    { type: "say", id: "one-waiting", text: "g", now: message(900_002, "x").at },
  );
  const entries = timeline(state, "#15803d");
  expect(told(entries)).toEqual(["day", "Bo: a / b", "I: c", "Bo: d", "day", "Bo: e", "moved", "Bo: f", "I: g…"]);
  expect(new Set(entries.map(({ key }) => key)).size, "keys are unique").toBe(entries.length);
});

test("two people of one name are two, and two visits of one person are one", () => {
  const [visit, again] = [message(1, "Bo", "a", nameMessage("bo1", "#c2410c")), { ...message(2, "Bo", "b", nameMessage("bo1", "#c2410c")), author: person("Bo", "another visit") }];
  const other = { ...message(3, "Bo", "c", nameMessage("bo2", "#c2410c")), author: person("Bo", "another person") };
  expect(told(timeline(after(fresh(), history([visit, again, other])), "#15803d"))).toEqual(["day", "Bo: a / b", "Bo: c"]);
});
