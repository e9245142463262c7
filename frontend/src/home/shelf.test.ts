import { expect, test } from "vitest";
import type { DocumentPage, DocumentSummary } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { EMPTY_SHELF, stepShelf, type ShelfEvent, type ShelfState } from "./shelf";

const doc = (name: string, modified: number): DocumentSummary => ({
  name: name as DocumentName,
  title: null,
  kind: null,
  bytes: 1,
  created: 0,
  modified,
  state: "live",
  editors: 0,
  people: [],
});
const page = (next: string | null, ...documents: DocumentSummary[]): DocumentPage => ({ documents, next });
const after = (...events: ShelfEvent[]): ShelfState => events.reduce(stepShelf, EMPTY_SHELF);
const names = (state: ShelfState): string => state.documents.map(({ name }) => name).join(" ");

test("pages follow each other without doubles", () => {
  const state = after(
    { type: "head", page: page("2", doc("d", 4), doc("c", 3)) },
    // "c" was pushed onto the second page by a new document in between.
    { type: "tail", page: page(null, doc("c", 3), doc("b", 2)) },
  );
  expect([names(state), state.next]).toEqual(["d c b", null]);
});

test("news on top keep what was loaded below", () => {
  const state = after(
    { type: "head", page: page("2", doc("d", 4), doc("c", 3)) },
    { type: "tail", page: page("3", doc("b", 2), doc("a", 1)) },
    { type: "head", page: page("2", doc("b", 9), doc("d", 4)) },
  );
  expect([names(state), state.next]).toEqual(["b d c a", "3"]);
});

test("a shelf of one page is replaced, so that what was deleted elsewhere goes", () => {
  const state = after(
    { type: "head", page: page(null, doc("b", 2), doc("a", 1)) },
    { type: "head", page: page(null, doc("a", 1)) },
  );
  expect(names(state)).toBe("a");
});

test("a failure keeps what was known and says why", () => {
  const failed = after({ type: "head", page: page(null, doc("a", 1)) }, { type: "failed", problem: { kind: "unreachable" } });
  expect([failed.phase, failed.problem?.kind, names(failed)]).toEqual(["failed", "unreachable", "a"]);
  expect(stepShelf(failed, { type: "asked-again" })).toBe(failed);
  expect(stepShelf(failed, { type: "head", page: page(null) })).toMatchObject({ phase: "ready", problem: null, documents: [] });
});

test("a retry after a first failure shows loading again", () => {
  const failed = after({ type: "failed", problem: { kind: "garbled" } });
  expect(stepShelf(failed, { type: "asked-again" }).phase).toBe("loading");
});

test("a dropped row is gone at once", () => {
  const state = after({ type: "head", page: page(null, doc("b", 2), doc("a", 1)) }, { type: "dropped", name: "b" as DocumentName });
  expect(names(state)).toBe("a");
});

test("a row that the server did not take away is back where it was, once", () => {
  const state = after({ type: "head", page: page(null, doc("c", 3), doc("b", 2), doc("a", 1)) }, { type: "dropped", name: "b" as DocumentName }, { type: "failed", problem: { kind: "unreachable" } }, { type: "returned", document: doc("b", 2) });
  expect([names(state), state.phase]).toEqual(["c b a", "failed"]);
  expect(names(stepShelf(state, { type: "returned", document: doc("b", 2) }))).toBe("c b a");
});
