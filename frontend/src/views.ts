// Each kind's view, a chunk of its own. Asking ahead, when the kind is known before the document is here, lets the view
// travel together with the page.
import type { Kind } from "./documents/kind";
import type { ViewOf, ViewProps } from "./documents/view";
import { fetched, type Fetched } from "./ui/fetched";

const VIEWS: Readonly<Partial<Record<Kind, Fetched<ViewProps>>>> = {
  text: fetched(() => import("./text/view").then(({ TextView }) => TextView), { needed: "body" }),
  board: fetched(() => import("./board/view").then(({ BoardView }) => BoardView), { needed: "body" }),
  plain: fetched(() => import("./plain/view").then(({ PlainView }) => PlainView), { needed: "body" }),
};

export const viewOf: ViewOf = (kind) => (kind === null ? null : (VIEWS[kind] ?? null));
