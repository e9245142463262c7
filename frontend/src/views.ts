// Each kind's view, a chunk of its own. Asking ahead, when the kind is known before the document is here, lets the view
// travel together with the page.
import { fetched, type Fetched } from "./ui/fetched";
import type { Kind } from "./documents/kind";
import type { ViewProps } from "./documents/view";

const VIEWS: Readonly<Partial<Record<Kind, Fetched<ViewProps>>>> = {
  text: fetched(() => import("./text/view").then(({ TextView }) => TextView), { needed: "body" }),
  board: fetched(() => import("./board/view").then(({ BoardView }) => BoardView), { needed: "body" }),
  plain: fetched(() => import("./plain/view").then(({ PlainView }) => PlainView), { needed: "body" }),
};

/** The view, fetched when it is first drawn; `null` for a kind this app cannot show. */
export function viewOf(kind: Kind | null): Fetched<ViewProps> | null {
  return kind === null ? null : (VIEWS[kind] ?? null);
}

/** Resolves when the view is here. */
export async function viewReady(kind: Kind): Promise<void> {
  await viewOf(kind)?.ready();
}

/** Starts fetching. A failure is left to the drawing of the view, which asks again. */
export function fetchView(kind: Kind): void {
  viewOf(kind)?.prefetch();
}
