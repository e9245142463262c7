// @vitest-environment happy-dom
import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, expect, test, vi } from "vitest";
import { ErrorBoundary } from "./error-boundary";
import { fetched } from "./fetched";
import type * as missing from "./missing";

const { whyMissing, tellMissing } = vi.hoisted(() => ({ whyMissing: vi.fn<typeof missing.whyMissing>(), tellMissing: vi.fn<typeof missing.tellMissing>() }));
vi.mock("./missing", async (original) => ({ ...(await original<typeof missing>()), whyMissing, tellMissing }));

beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));

const Greeting = (props: { readonly name: string }): ReactNode => `hello ${props.name}`;

test("its fallback stands in its place until it is here", async () => {
  let arrive: (component: typeof Greeting) => void = () => undefined;
  const Part = fetched(() => new Promise<typeof Greeting>((resolve) => (arrive = resolve)));
  const place = document.createElement("div");
  const root = createRoot(place);
  await act(() => Promise.resolve(root.render(<Part name="Ann" fallback="wait" />)));
  expect(place.textContent).toBe("wait");
  await act(() => Promise.resolve(arrive(Greeting)));
  expect(place.textContent).toBe("hello Ann");
  await act(() => Promise.resolve(root.unmount()));
});

test("what was fetched ahead is there with the first drawing", async () => {
  let asked = 0;
  const Part = fetched(() => Promise.resolve(Greeting).finally(() => asked++));
  Part.prefetch();
  await act(() => Promise.resolve());
  const place = document.createElement("div");
  const root = createRoot(place);
  const shown: string[] = [];
  new MutationObserver(() => shown.push(place.textContent)).observe(place, { childList: true, characterData: true, subtree: true });
  await act(() => Promise.resolve(root.render(<Part name="Bo" fallback="wait" />)));
  expect([...new Set(shown)]).toEqual(["hello Bo"]);
  expect(asked).toBe(1);
  await act(() => Promise.resolve(root.unmount()));
});

/** Waits for whatever was begun, as long as it takes. */
const settled = (place: HTMLElement, words: string): Promise<void> => vi.waitFor(() => act(() => Promise.resolve(expect(place.textContent).toContain(words))));

test("what cannot be fetched stays its fallback, says why, tells who opened it, and is asked for again", async () => {
  whyMissing.mockResolvedValue("unreachable");
  let tries = 0;
  const load = (): Promise<typeof Greeting> => (++tries === 1 ? Promise.reject(new Error("no network")) : Promise.resolve(Greeting));
  const Part = fetched(load);
  const missed: string[] = [];
  const place = document.createElement("div");
  const root = createRoot(place);
  await act(() => Promise.resolve(root.render(<Part key="1" name="Ann" fallback="wait" onMissing={() => missed.push("closed")} />)));
  await vi.waitFor(() => expect(missed).toEqual(["closed"]));
  expect([place.textContent, tellMissing.mock.calls]).toEqual(["wait", [["unreachable"]]]);
  await act(() => Promise.resolve(root.render(<Part key="2" name="Ann" fallback="wait" />)));
  expect(place.textContent).toBe("hello Ann");
  await act(() => Promise.resolve(root.unmount()));
});

test("a passing trouble of the line is not worth a word", async () => {
  whyMissing.mockResolvedValue("unknown");
  tellMissing.mockClear();
  let tries = 0;
  const Part = fetched(() => (++tries === 1 ? Promise.reject(new Error("reset")) : Promise.resolve(Greeting)));
  const place = document.createElement("div");
  const root = createRoot(place);
  await act(() => Promise.resolve(root.render(<Part name="Ann" fallback="wait" />)));
  await settled(place, "hello Ann");
  expect(tellMissing).not.toHaveBeenCalled();
  await act(() => Promise.resolve(root.unmount()));
});

test("in the place of what is needed stands why it is missing, and it comes when the server is back", async () => {
  whyMissing.mockResolvedValue("unreachable");
  let away = true;
  const Needed = fetched(() => (away ? Promise.reject(new Error("no network")) : Promise.resolve(Greeting)), { needed: "page" });
  const place = document.createElement("div");
  const root = createRoot(place, { onCaughtError: () => undefined });
  await act(() => Promise.resolve(root.render(<Needed name="Ann" fallback="wait" />)));
  await settled(place, "missing.away");
  expect(place.querySelector("main#content h1")).not.toBeNull();
  away = false;
  await act(() => Promise.resolve(place.querySelector("button")?.click()));
  await settled(place, "hello Ann");

  whyMissing.mockResolvedValue("outdated");
  const Older = fetched<{ readonly name: string }>(() => Promise.reject(new Error("404")), { needed: "body" });
  await act(() => Promise.resolve(root.render(<Older name="Ann" fallback="wait" />)));
  await settled(place, "missing.olderHint");

  whyMissing.mockResolvedValue("unknown");
  const Broken = fetched<{ readonly name: string }>(() => Promise.reject(new Error("throws as it loads")), { needed: "page" });
  await act(() =>
    Promise.resolve(
      root.render(
        <ErrorBoundary>
          <Broken name="Ann" fallback="wait" />
        </ErrorBoundary>,
      ),
    ),
  );
  await settled(place, "app.broken");
  await act(() => Promise.resolve(root.unmount()));
});
