// @vitest-environment happy-dom
// The shelf on the page: when it asks, and what it makes of silence.
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ApiError, type Api, type DocumentPage } from "./api";
import { useShelf, type ShelfControls } from "./shelf";

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

async function shown(api: Api): Promise<{ readonly controls: () => ShelfControls; readonly root: Root }> {
  let seen: ShelfControls | null = null;
  const Shelf = (): ReactNode => {
    seen = useShelf(api, "live");
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
  const { controls, root } = await shown(api);
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
