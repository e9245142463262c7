// @vitest-environment happy-dom
// The shelf on the page: when it asks, and what it makes of silence.
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ApiError, type Api, type DocumentPage, type DocumentSummary } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import type { DocumentName } from "../documents/name";
import { insideCount } from "./row";
import { useShelf, useStarredShelf, type ShelfControls } from "./shelf";

beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Question {
  readonly answer: (page: DocumentPage) => void;
  readonly fail: () => void;
  readonly signal: AbortSignal;
}

/** A server whose every answer the test decides. */
function asked(): { readonly api: Api; readonly questions: Question[] } {
  const questions: Question[] = [];
  const list: Api["list"] = (_shelf, _after, signal) =>
    new Promise((resolve, reject) => {
      questions.push({ answer: resolve, fail: () => reject(new ApiError({ kind: "unreachable" })), signal: signal ?? new AbortController().signal });
    });
  return { api: { list } as unknown as Api, questions };
}

const doc = (name: string, modified = 1): DocumentSummary => ({ name: name as DocumentName, title: null, kind: null, bytes: 1, created: 0, modified, state: "live", editors: 0, people: [] });

async function shown(use: () => ShelfControls): Promise<{ readonly controls: () => ShelfControls; readonly root: Root }> {
  let seen: ShelfControls | null = null;
  const Shelf = (): ReactNode => {
    seen = use();
    return null;
  };
  const root = createRoot(document.createElement("div"));
  await act(() => Promise.resolve(root.render(<Shelf />)));
  return {
    controls: () => {
      if (seen === null) throw new Error("not drawn");
      return seen;
    },
    root,
  };
}

test("a question nobody has answered yet is not asked over: the silence comes to an end", async () => {
  const { api, questions } = asked();
  const { controls, root } = await shown(() => useShelf(api, "live"));
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(questions).toHaveLength(1);
  expect(questions[0]?.signal.aborted).toBe(false);
  await act(() => Promise.resolve(questions[0]?.fail()));
  expect(controls().state).toMatchObject({ phase: "failed", problem: { kind: "unreachable" } });
  // Then it is asked again, by itself.
  await act(() => vi.advanceTimersByTimeAsync(15_000));
  expect(questions).toHaveLength(2);
  await act(() => Promise.resolve(questions[1]?.answer({ documents: [], next: null })));
  expect(controls().state.phase).toBe("ready");
  await act(() => Promise.resolve(root.unmount()));
});

test("who comes back sees at once what was there, and what was done meanwhile is asked for", async () => {
  const { api, questions } = asked();
  const first = await shown(() => useShelf(api, "live"));
  await act(() => Promise.resolve(questions[0]?.answer({ documents: [doc("b", 2), doc("a", 1)], next: null })));
  await act(() => Promise.resolve(first.root.unmount()));

  const back = await shown(() => useShelf(api, "live"));
  expect(back.controls().state).toMatchObject({ phase: "ready", documents: [{ name: "b" }, { name: "a" }] });
  await act(() => Promise.resolve(questions[1]?.answer({ documents: [doc("a", 1)], next: null })));
  await act(() => Promise.resolve(documentsChanged()));
  expect(questions).toHaveLength(3);
  await act(() => Promise.resolve(questions[2]?.answer({ documents: [doc("c", 3), doc("a", 1)], next: null })));
  expect(back.controls().state.documents.map(({ name }) => name)).toEqual(["c", "a"]);
  await act(() => Promise.resolve(back.root.unmount()));
});

test("starred documents stay fresh, and only those that are not among the newest are asked for one by one", async () => {
  const { api, questions } = asked();
  const read: string[] = [];
  const both: Api = { ...api, read: (name) => (read.push(name), name === ("gone" as DocumentName) ? Promise.reject(new ApiError({ kind: "refused", status: 410, code: "deleted", message: "" })) : Promise.resolve(doc(name, 1))) };
  const names = new Set(["new", "old", "gone"] as DocumentName[]);
  const { controls, root } = await shown(() => useStarredShelf(both, names));
  await act(() => Promise.resolve(questions[0]?.answer({ documents: [doc("new", 9), doc("other", 8)], next: "more" })));
  expect([read, controls().state.documents.map(({ name }) => name)]).toEqual([["old", "gone"], ["new", "old"]]);
  await act(() => vi.advanceTimersByTimeAsync(15_000));
  // All there is: what is not in it need not be asked for.
  await act(() => Promise.resolve(questions[1]?.answer({ documents: [doc("new", 9)], next: null })));
  expect([read.length, controls().state.documents.map(({ name }) => name)]).toEqual([2, ["new"]]);
  await act(() => Promise.resolve(root.unmount()));
});

test("one person with two tabs is one person inside", () => {
  const [ann, bo] = [{ name: "Ann", colour: "#0e7490" }, { name: "Bo", colour: "#cf2f74" }];
  expect(insideCount({ people: [ann], editors: 2 })).toBe(1);
  expect(insideCount({ people: [ann, bo], editors: 2 })).toBe(2);
  expect(insideCount({ people: [], editors: 3 })).toBe(3);
  expect(insideCount({ people: [ann, bo, ann, bo, ann], editors: 40 })).toBe(40);
});
