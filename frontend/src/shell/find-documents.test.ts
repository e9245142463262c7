import { expect, test } from "vitest";
import type { DocumentPage, DocumentSummary } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { fit, merged, readDocuments, type Named } from "./find-documents";

const doc = (name: string, kind: string | null = null): DocumentSummary => ({ name: name as DocumentName, title: name, kind, bytes: 1, created: 0, modified: 0, state: "live", editors: 0, people: [] });

test("a title fits when every word typed is in it, and what begins with them comes first", () => {
  expect(fit("Bad weather", "bad")).toBe(1);
  expect(fit("The bad year", "bad")).toBeGreaterThan(fit("A forbadden loom", "bad"));
  expect(fit("Café accounts", "accounts cafe")).toBeGreaterThan(0);
  // Letters that only happen to come in this order are not what was meant.
  for (const title of ["Broad plans", "0b1f-4a2d", "Menu"]) expect(fit(title, "bad")).toBe(0);
});

test("documents of older pages are found as well, as far as somebody looks for them", async () => {
  const pages: Readonly<Record<string, DocumentPage>> = { "": { documents: [doc("new")], next: "2" }, "2": { documents: [doc("old", "board")], next: "3" }, "3": { documents: [doc("oldest", "loom")], next: null } };
  const [asked, found]: [string[], Named[]] = [[], []];
  let wanted = 0;
  const api = { list: (_: string, after?: string | null) => (asked.push(after ?? ""), Promise.resolve(pages[after ?? ""] ?? { documents: [], next: null })) };
  await readDocuments(api, new AbortController().signal, (documents) => found.push(...documents), () => Promise.resolve(void wanted++));
  expect([asked, wanted]).toEqual([["", "2", "3"], 2]);
  expect(found.map(({ name, kind }) => [name, kind])).toEqual([["new", "text"], ["old", "board"], ["oldest", "text"]]);
});

test("what this device knows stays when the server answers", () => {
  const here: Named[] = [{ name: "here" as DocumentName, title: "Here", kind: "board" }, { name: "both" as DocumentName, title: "Before" }];
  expect(merged(here, [{ name: "both" as DocumentName, title: "Now", kind: "plain" }]).map(({ title, kind }) => [title, kind])).toEqual([["Here", "board"], ["Now", "plain"]]);
});
