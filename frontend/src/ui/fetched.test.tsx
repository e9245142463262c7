// @vitest-environment happy-dom
import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, expect, test } from "vitest";
import { ErrorBoundary } from "./error-boundary";
import { fetched } from "./fetched";

beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));

const Greeting = (props: { readonly name: string }): ReactNode => `hello ${props.name}`;

/** What a reader sees after each of these was drawn in the same place. */
async function drawn(...contents: readonly ReactNode[]): Promise<string[]> {
  const place = document.createElement("div");
  const root = createRoot(place, { onCaughtError: () => undefined });
  const seen: string[] = [];
  for (const content of contents) {
    await act(() => Promise.resolve(root.render(content)));
    seen.push(place.textContent);
  }
  await act(() => Promise.resolve(root.unmount()));
  return seen;
}

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

test("what cannot be fetched stays its fallback and is asked for again; what is needed says so", async () => {
  let tries = 0;
  const load = (): Promise<typeof Greeting> => (++tries === 1 ? Promise.reject(new Error("no network")) : Promise.resolve(Greeting));
  const Part = fetched(load);
  expect(await drawn(<Part key="1" name="Ann" fallback="wait" />, <Part key="2" name="Ann" fallback="wait" />)).toEqual(["wait", "hello Ann"]);

  const Needed = fetched<{ readonly name: string }>(() => Promise.reject(new Error("no network")), { needed: true });
  const [said] = await drawn(
    <ErrorBoundary>
      <Needed name="Ann" fallback="wait" />
    </ErrorBoundary>,
  );
  expect(said).toContain("app.broken");
});
