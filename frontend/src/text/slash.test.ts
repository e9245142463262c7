import type { TFunction } from "i18next";
import { expect, test } from "vitest";
import { slashOffers } from "./slash";

const say = ((key: string) => ({ "tools.heading1": "標題 1", "tools.table": "表格" })[key] ?? key) as TFunction<"words">;
const offered = (query: string): string[] => slashOffers(query, say, () => undefined).map(({ id }) => id);

test("everything is offered at first, and what is typed narrows it", () => {
  expect(offered("")).toHaveLength(12);
  expect(offered("h2")).toEqual(["h2"]);
  expect(offered("zzz")).toEqual([]);
});

test("the reader's own words and the English ones are both understood", () => {
  expect(offered("標題")).toEqual(["h1"]);
  expect(offered("表")).toEqual(["table"]);
  expect(offered("todo")).toEqual(["tasks"]);
  expect(offered("HEAD")).toEqual(["h1", "h2", "h3"]);
});
