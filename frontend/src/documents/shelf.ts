// One shelf of documents as the server tells it, kept fresh while somebody looks. The pure part says what a new page
// does to what is shown; the hook asks.
import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError, type Api, type DocumentPage, type DocumentSummary, type Problem, type Shelf } from "./api";
import { rememberListed } from "./device";
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
  const asking = useRef<Record<"head" | "tail", AbortController | null>>({ head: null, tail: null });
  const next = useRef<string | null>(null);
  useEffect(() => {
    next.current = state.next;
  }, [state.next]);

  const ask = useCallback(
    (part: "head" | "tail") => {
      if (part === "tail" && (next.current === null || asking.current.tail !== null)) return;
      asking.current[part]?.abort();
      const controller = new AbortController();
      asking.current[part] = controller;
      api
        .list(shelf, part === "tail" ? next.current : null, controller.signal)
        .then((page) => {
          if (shelf === "live" && part === "head") rememberListed(page.documents);
          dispatch({ type: part, page });
        })
        .catch((error: unknown) => {
          if (controller.signal.aborted) return;
          if (error instanceof ApiError) dispatch({ type: "failed", problem: error.problem });
          else throw error;
        })
        .finally(() => {
          if (asking.current[part] === controller) asking.current[part] = null;
        });
    },
    [api, shelf],
  );

  const reload = useCallback(() => {
    dispatch({ type: "asked-again" });
    ask("head");
  }, [ask]);

  useEffect(() => {
    const questions = asking.current;
    ask("head");
    const look = (): void => {
      // A question that is still open is let finish: asked anew each time, a silent server would never have failed to answer.
      if (document.visibilityState === "visible" && questions.head === null) ask("head");
    };
    const timer = setInterval(look, REFRESH);
    document.addEventListener("visibilitychange", look);
    window.addEventListener("online", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("online", look);
      questions.head?.abort();
      questions.tail?.abort();
    };
  }, [ask]);

  const more = useCallback(() => ask("tail"), [ask]);
  const drop = useCallback((name: DocumentName) => dispatch({ type: "dropped", name }), []);
  return { state, reload, more, drop };
}

/** The starred documents, each asked for by name: the star is this device's, what the document is now is the server's. */
export function useStarredShelf(api: Api, names: ReadonlySet<DocumentName>): ShelfControls {
  const [state, dispatch] = useReducer(stepShelf, EMPTY_SHELF);
  const asking = useRef<AbortController | null>(null);

  const ask = useCallback(() => {
    asking.current?.abort();
    const controller = new AbortController();
    asking.current = controller;
    Promise.all([...names].map((name) => api.read(name, controller.signal).catch(nothingIfGone)))
      .then((found) => {
        const live = found.filter((document) => document?.state === "live").filter((document) => document !== null);
        const documents = live.sort((a, b) => b.modified - a.modified);
        if (!controller.signal.aborted) dispatch({ type: "head", page: { documents, next: null } });
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        if (error instanceof ApiError) dispatch({ type: "failed", problem: error.problem });
        else throw error;
      });
  }, [api, names]);

  const reload = useCallback(() => {
    dispatch({ type: "asked-again" });
    ask();
  }, [ask]);
  useEffect(() => {
    ask();
    window.addEventListener("online", ask);
    return () => {
      window.removeEventListener("online", ask);
      asking.current?.abort();
    };
  }, [ask]);
  const more = useCallback(() => undefined, []);
  const drop = useCallback((name: DocumentName) => dispatch({ type: "dropped", name }), []);
  return { state, reload, more, drop };
}

/** A starred document may have been deleted since; that is no reason to show none. */
function nothingIfGone(error: unknown): null {
  if (error instanceof ApiError && error.problem.kind === "refused" && [404, 410].includes(error.problem.status)) return null;
  throw error;
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
