// Each kind's view, a chunk of its own. Asking ahead, when the kind is known before the document is here, lets the view
// travel together with the page.
import { lazy, type ComponentType } from "react";
import type { Kind } from "./kind";
import type { ViewProps } from "./view";

type Fetched = Promise<{ readonly default: ComponentType<ViewProps> }>;

const VIEWS: Readonly<Partial<Record<Kind, () => Fetched>>> = {
  text: () => import("../text/view").then(({ TextView }) => ({ default: TextView })),
  board: () => import("../board/view").then(({ BoardView }) => ({ default: BoardView })),
  plain: () => import("../plain/view").then(({ PlainView }) => ({ default: PlainView })),
};

const COMPONENTS = new Map<Kind, ComponentType<ViewProps>>();

/** The view as a component that fetches itself when it is first drawn; `null` for a kind this app cannot show. */
export function viewOf(kind: Kind | null): ComponentType<ViewProps> | null {
  const fetch = kind === null ? undefined : VIEWS[kind];
  if (kind === null || fetch === undefined) return null;
  const known = COMPONENTS.get(kind) ?? lazy(fetch);
  COMPONENTS.set(kind, known);
  return known;
}

/** Starts fetching. A failure is left to the drawing of the view, which asks again. */
export function fetchView(kind: Kind): void {
  VIEWS[kind]?.().catch(() => undefined);
}
