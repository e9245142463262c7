// One shelf of documents as the server tells it, kept fresh while somebody looks. The pure part says what a new page
// does to what is shown; the hook asks.
import { useCallback, useEffect, useMemo, useReducer, useRef, type RefObject } from "react";
import { rememberListed } from "../device/kept";
import { ApiError, type Api, type DocumentPage, type DocumentSummary, type Problem, type Shelf } from "../documents/api";
import { onDocumentsChanged } from "../documents/changes";
import type { DocumentName } from "../documents/name";

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
  | { readonly type: "dropped"; readonly name: DocumentName }
  /** What was dropped is still there: the server said no, or nothing. */
  | { readonly type: "returned"; readonly document: DocumentSummary };

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
    case "returned":
      return { ...state, documents: append(state.documents, [event.document]).toSorted((a, b) => b.modified - a.modified) };
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
  /** Puts it back. */
  readonly putBack: (document: DocumentSummary) => void;
}

/** What each shelf held when it was last shown: who comes back to it sees that at once, and then what is new. */
const remembered = new Map<Shelf | "starred", ShelfState>();

export function useShelf(api: Api, shelf: Shelf): ShelfControls {
  const [state, dispatch] = useShelfState(shelf);
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
    [api, shelf, dispatch],
  );
  const askHead = useCallback(() => ask("head"), [ask]);
  useFresh(askHead, asking);
  const more = useCallback(() => ask("tail"), [ask]);
  return { state, more, ...useEdits(askHead, dispatch) };
}

/** The starred documents: the star is this device's, what the document is now is the server's to tell. */
export function useStarredShelf(api: Api, names: ReadonlySet<DocumentName>): ShelfControls {
  const [state, dispatch] = useShelfState("starred");
  const asking = useRef<Record<"head" | "tail", AbortController | null>>({ head: null, tail: null });

  const ask = useCallback(() => {
    asking.current.head?.abort();
    const controller = new AbortController();
    asking.current.head = controller;
    readStarred(api, names, controller.signal)
      .then((documents) => {
        if (!controller.signal.aborted) dispatch({ type: "head", page: { documents, next: null } });
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        if (error instanceof ApiError) dispatch({ type: "failed", problem: error.problem });
        else throw error;
      })
      .finally(() => {
        if (asking.current.head === controller) asking.current.head = null;
      });
  }, [api, names, dispatch]);
  useFresh(ask, asking);
  const more = useCallback(() => undefined, []);
  // A star that was taken away goes at once, whatever the server says of the document.
  const starred = useMemo(() => ({ ...state, documents: state.documents.filter(({ name }) => names.has(name)) }), [state, names]);
  return { state: starred, more, ...useEdits(ask, dispatch) };
}

/** Most are among the newest, which are one question; only the others are asked for by name. */
async function readStarred(api: Api, names: ReadonlySet<DocumentName>, signal: AbortSignal): Promise<readonly DocumentSummary[]> {
  if (names.size === 0) return [];
  const newest = await api.list("live", null, signal);
  const known = new Map(newest.documents.map((document) => [document.name, document]));
  // When that was the whole shelf, what is not on it is not to be had.
  const others = newest.next === null ? [] : [...names].filter((name) => !known.has(name));
  const read = await Promise.all(others.map((name) => api.read(name, signal).catch(nothingIfGone)));
  const found = [...[...names].map((name) => known.get(name)), ...read];
  return found.filter((document) => document?.state === "live").filter((document) => document != null).sort((a, b) => b.modified - a.modified);
}

function useShelfState(shelf: Shelf | "starred"): [ShelfState, (event: ShelfEvent) => void] {
  const [state, dispatch] = useReducer(stepShelf, shelf, (name) => remembered.get(name) ?? EMPTY_SHELF);
  useEffect(() => {
    // A failure is today's; what was there before it is worth remembering.
    if (state.documents.length > 0 || state.phase === "ready") remembered.set(shelf, state);
  }, [shelf, state]);
  return [state, dispatch];
}

/** Asks at once, and again while somebody looks, when the network is back, and when something was done to a document. */
function useFresh(ask: () => void, asking: RefObject<Record<"head" | "tail", AbortController | null>>): void {
  useEffect(() => {
    const questions = asking.current;
    ask();
    const look = (): void => {
      // A question that is still open is let finish: asked anew each time, a silent server would never have failed to answer.
      if (document.visibilityState === "visible" && questions.head === null) ask();
    };
    const timer = setInterval(look, REFRESH);
    document.addEventListener("visibilitychange", look);
    window.addEventListener("online", look);
    const end = onDocumentsChanged(ask);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("online", look);
      end();
      questions.head?.abort();
      questions.tail?.abort();
    };
  }, [ask, asking]);
}

function useEdits(ask: () => void, dispatch: (event: ShelfEvent) => void): Pick<ShelfControls, "reload" | "drop" | "putBack"> {
  const reload = useCallback(() => {
    dispatch({ type: "asked-again" });
    ask();
  }, [ask, dispatch]);
  const drop = useCallback((name: DocumentName) => dispatch({ type: "dropped", name }), [dispatch]);
  const putBack = useCallback((document: DocumentSummary) => dispatch({ type: "returned", document }), [dispatch]);
  return { reload, drop, putBack };
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
