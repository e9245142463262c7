// One shelf of documents as the server tells it, kept fresh while somebody looks. The pure part says what a new page
// does to what is shown; the hook asks.
import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError, type Api, type DocumentPage, type DocumentSummary, type Problem, type Shelf } from "./api";
import type { DocumentName } from "./name";

export interface ShelfState {
  readonly phase: "loading" | "ready" | "failed";
  /** Why the last question failed; what was known before stays shown. */
  readonly problem: Problem | null;
  readonly documents: readonly DocumentSummary[];
  readonly next: string | null;
}

export type ShelfEvent =
  | { readonly type: "asked-again" }
  /** The newest documents arrived; older ones that were loaded before stay below them. */
  | { readonly type: "head"; readonly page: DocumentPage }
  | { readonly type: "tail"; readonly page: DocumentPage }
  | { readonly type: "failed"; readonly problem: Problem }
  | { readonly type: "dropped"; readonly name: DocumentName };

export const EMPTY_SHELF: ShelfState = { phase: "loading", problem: null, documents: [], next: null };

export function stepShelf(state: ShelfState, event: ShelfEvent): ShelfState {
  switch (event.type) {
    case "asked-again":
      return state.phase === "failed" && state.documents.length === 0 ? EMPTY_SHELF : state;
    case "head":
      return { phase: "ready", problem: null, ...mergeHead(state, event.page) };
    case "tail":
      return { phase: "ready", problem: null, documents: append(state.documents, event.page.documents), next: event.page.next };
    case "failed":
      return { ...state, phase: "failed", problem: event.problem };
    case "dropped":
      return { ...state, documents: state.documents.filter(({ name }) => name !== event.name) };
  }
}

/** How often a visible list asks again, in ms: "who is inside" should not be older than a glance away and back. */
const REFRESH = 15_000;

export interface ShelfControls {
  readonly state: ShelfState;
  readonly reload: () => void;
  readonly more: () => void;
  /** Takes a row away before the server has confirmed it. */
  readonly drop: (name: DocumentName) => void;
}

export function useShelf(api: Api, shelf: Shelf): ShelfControls {
  const [state, dispatch] = useReducer(stepShelf, EMPTY_SHELF);
  const asking = useRef<AbortController | null>(null);
  const next = useRef<string | null>(null);
  useEffect(() => {
    next.current = state.next;
  }, [state.next]);

  const ask = useCallback(
    (part: "head" | "tail") => {
      if (part === "tail" && (next.current === null || asking.current !== null)) return;
      asking.current?.abort();
      const controller = new AbortController();
      asking.current = controller;
      api
        .list(shelf, part === "tail" ? next.current : null, controller.signal)
        .then((page) => dispatch({ type: part, page }))
        .catch((error: unknown) => {
          if (controller.signal.aborted) return;
          if (error instanceof ApiError) dispatch({ type: "failed", problem: error.problem });
          else throw error;
        })
        .finally(() => {
          if (asking.current === controller) asking.current = null;
        });
    },
    [api, shelf],
  );

  const reload = useCallback(() => {
    dispatch({ type: "asked-again" });
    ask("head");
  }, [ask]);

  useEffect(() => {
    ask("head");
    const look = (): void => {
      if (document.visibilityState === "visible") ask("head");
    };
    const timer = setInterval(look, REFRESH);
    document.addEventListener("visibilitychange", look);
    window.addEventListener("online", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("online", look);
      asking.current?.abort();
    };
  }, [ask]);

  const more = useCallback(() => ask("tail"), [ask]);
  const drop = useCallback((name: DocumentName) => dispatch({ type: "dropped", name }), []);
  return { state, reload, more, drop };
}

/**
 * The first page replaces everything when it is the whole shelf. Otherwise older rows loaded before stay: asking for
 * the newest must not throw a reader who went far down back to the top.
 */
function mergeHead(state: ShelfState, page: DocumentPage): Pick<ShelfState, "documents" | "next"> {
  const last = page.documents.at(-1);
  if (page.next === null || last === undefined || state.documents.length <= page.documents.length) {
    return { documents: page.documents, next: page.next };
  }
  const older = state.documents.filter(({ modified }) => modified < last.modified);
  return { documents: append(page.documents, older), next: older.length > 0 ? state.next : page.next };
}

function append(head: readonly DocumentSummary[], tail: readonly DocumentSummary[]): readonly DocumentSummary[] {
  const known = new Set(head.map(({ name }) => name));
  return [...head, ...tail.filter(({ name }) => !known.has(name))];
}
