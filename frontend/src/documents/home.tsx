// The first page: what there is, what is new, and a way to begin. The trash is the same page with the other shelf.
import { CircleAlert, CloudOff, Plus, Search, Trash2 } from "lucide-react";
import { lazy, Suspense, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { You } from "../presence/you";
import { EmptyLoom, Logo } from "../ui/logo";
import { announce } from "../ui/live-region";
import { Panel } from "../ui/panel";
import { copyToClipboard } from "../ui/clipboard";
import { showToast } from "../ui/toast";
import { ApiError, type Api, type DocumentSummary, type Problem, type Shelf } from "./api";
import { keptDocuments } from "./device";
import { documentPath } from "./name";
import { KeptRow, LiveRow, TrashRow, type RowActions } from "./row";
import { useShelf } from "./shelf";
import { partOfDay } from "./when";
import "./home.css";

// The question before deleting is rare; its dialog is fetched when it is asked.
const Confirm = lazy(() => import("../ui/confirm").then((module) => ({ default: module.Confirm })));

export function Home(props: { readonly api: Api; readonly shelf: Shelf }): React.JSX.Element {
  const { t } = useTranslation();
  const { api, shelf } = props;
  const { state, reload, more, drop } = useShelf(api, shelf);
  const [query, setQuery] = useState("");
  const [doomed, setDoomed] = useState<DocumentSummary | null>(null);
  const now = useNow();
  const actions = useRowActions(api, { drop, reload, askToDelete: setDoomed });
  const create = useCreate(api);

  useEffect(() => {
    document.title = shelf === "trash" ? `${t("home.trash")} · Weft` : "Weft";
  }, [shelf, t]);

  const needle = useDeferredValue(fold(query));
  const found = useMemo(
    () => (needle === "" ? state.documents : state.documents.filter((entry) => fold(entry.title ?? t("row.untitled")).includes(needle))),
    [state.documents, needle, t],
  );
  // A search is over the whole shelf: fetch what was not shown yet.
  useEffect(() => {
    if (needle !== "" && state.next !== null && state.phase === "ready") more();
  }, [needle, state.next, state.phase, more]);
  useEffect(() => {
    if (needle !== "" && state.next === null) announce(t("home.found", { count: found.length }));
  }, [needle, state.next, found.length, t]);

  const unreachable = state.phase === "failed" && state.problem?.kind === "unreachable";
  return (
    <div className="frame">
      <header className="bar">
        <Link className="brand" href="/" aria-label={t("app.home")}>
          <Logo />
          <span>Weft</span>
        </Link>
        <div className="bar-end">
          <You />
        </div>
      </header>
      <main id="content" className="home" tabIndex={-1}>
        <div className="hero">
          <div>
            <h1>{shelf === "trash" ? t("home.trash") : t(`home.${partOfDay(new Date(now).getHours())}`)}</h1>
            <p className="lead">{shelf === "trash" ? t("home.trashLead") : t("home.lead")}</p>
          </div>
          {shelf === "live" && (
            <button type="button" className="button primary large" onClick={create.run} disabled={create.busy}>
              <Plus aria-hidden="true" />
              {t("home.new")}
            </button>
          )}
        </div>
        <div className="shelf-bar">
          <nav aria-label={t("home.shelves")} className="tabs">
            <Link href="/" className="tab" aria-current={shelf === "live" ? "page" : undefined}>
              {t("home.recent")}
            </Link>
            <Link href="/trash" className="tab" aria-current={shelf === "trash" ? "page" : undefined}>
              {t("home.trash")}
            </Link>
          </nav>
          {(state.documents.length > 0 || query !== "") && <SearchField value={query} onChange={setQuery} />}
        </div>

        {state.problem !== null && state.documents.length > 0 && <Banner problem={state.problem} onRetry={reload} />}
        {state.phase === "loading" && <Skeleton />}
        {state.phase === "failed" && state.documents.length === 0 && (
          <Failed problem={state.problem} onRetry={reload} showKept={shelf === "live"} now={now} />
        )}
        {state.phase === "ready" && state.documents.length === 0 && <Empty shelf={shelf} onCreate={create.run} />}
        {state.documents.length > 0 && (
          <ul className="rows" aria-label={shelf === "trash" ? t("home.listTrash") : t("home.list")}>
            {found.map((entry) =>
              shelf === "trash" ? (
                <TrashRow key={entry.name} document={entry} now={now} actions={actions} />
              ) : (
                <LiveRow
                  key={entry.name}
                  document={entry}
                  now={now}
                  actions={actions}
                  openable={!unreachable || isKept(entry)}
                />
              ),
            )}
          </ul>
        )}
        {needle !== "" && found.length === 0 && state.documents.length > 0 && state.next === null && (
          <p className="quiet">{t("home.noMatch", { query })}</p>
        )}
        {needle === "" && state.next !== null && (
          <button type="button" className="button more" onClick={more}>
            {t("home.more")}
          </button>
        )}
      </main>
      <Suspense fallback={null}>
        {doomed && (
          <Confirm
            title={t("confirm.title", { title: doomed.title ?? t("row.untitled") })}
            body={t("confirm.body")}
            yes={t("confirm.yes")}
            onYes={() => actions.deleteForEver(doomed)}
            onClose={() => setDoomed(null)}
          />
        )}
      </Suspense>
    </div>
  );
}

function SearchField(props: { readonly value: string; readonly onChange: (value: string) => void }): React.JSX.Element {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <label className="search">
      <Search aria-hidden="true" />
      <span className="visually-hidden">{t("home.search")}</span>
      <input
        ref={input}
        type="search"
        placeholder={t("home.search")}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") props.onChange("");
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

function Skeleton(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div role="status">
      <span className="visually-hidden">{t("home.loading")}</span>
      <ul className="rows skeleton" aria-hidden="true">
        {Array.from({ length: 6 }, (_, row) => (
          <li className="row" key={row}>
            <div className="row-link">
              <span className="row-icon bone" />
              <span className="row-text">
                <span className="bone bone-title" style={{ inlineSize: `${[46, 62, 38, 54, 32, 50][row] ?? 40}%` }} />
                <span className="bone bone-meta" />
              </span>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Empty(props: { readonly shelf: Shelf; readonly onCreate: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  if (props.shelf === "trash") {
    return <Panel icon={<Trash2 />} title={t("home.emptyTrash")} body={t("home.emptyTrashHint")} />;
  }
  return (
    <Panel icon={<EmptyLoom />} title={t("home.empty")} body={t("home.emptyHint")}>
      <button type="button" className="button primary large" onClick={props.onCreate}>
        <Plus aria-hidden="true" />
        {t("home.new")}
      </button>
    </Panel>
  );
}

function Failed(props: {
  readonly problem: Problem | null;
  readonly onRetry: () => void;
  readonly showKept: boolean;
  readonly now: number;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { title, hint } = useProblemWords(props.problem);
  const kept = props.showKept && props.problem?.kind === "unreachable" ? keptDocuments() : [];
  return (
    <>
      <Panel icon={props.problem?.kind === "unreachable" ? <CloudOff /> : <CircleAlert />} title={title} body={hint}>
        <button type="button" className="button primary" onClick={props.onRetry}>
          {t("problem.retry")}
        </button>
      </Panel>
      {kept.length > 0 && (
        <>
          <h2 className="rows-title">{t("row.here")}</h2>
          <ul className="rows">
            {kept.map((entry) => (
              <KeptRow key={entry.name} document={entry} now={props.now} />
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Banner(props: { readonly problem: Problem; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { title, hint } = useProblemWords(props.problem);
  return (
    <div className="banner" role="alert">
      <CloudOff aria-hidden="true" />
      <p>
        <strong>{title}.</strong> {hint}
      </p>
      <button type="button" className="button small" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
    </div>
  );
}

function useProblemWords(problem: Problem | null): { readonly title: string; readonly hint: string } {
  const { t } = useTranslation();
  switch (problem?.kind) {
    case "refused":
      return { title: t("problem.refused", { message: problem.message }), hint: problem.code };
    case "garbled":
      return { title: t("problem.garbled"), hint: t("problem.garbledHint") };
    default:
      return { title: t("problem.unreachable"), hint: t("problem.unreachableHint") };
  }
}

function useRowActions(
  api: Api,
  page: {
    readonly drop: (name: DocumentSummary["name"]) => void;
    readonly reload: () => void;
    readonly askToDelete: (document: DocumentSummary) => void;
  },
): RowActions & { readonly deleteForEver: (document: DocumentSummary) => void } {
  const { t } = useTranslation();
  const { title: failure } = useProblemWords({ kind: "unreachable" });
  const titleOf = (document: DocumentSummary): string => document.title ?? t("row.untitled");

  /** The row goes at once; if the server then says no, the list comes back with the reason. */
  const act = (document: DocumentSummary, work: Promise<void>, done: () => void): void => {
    page.drop(document.name);
    work
      .then(done)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        const { problem } = error;
        showToast({ text: problem.kind === "refused" ? t("problem.refused", { message: problem.message }) : failure });
      })
      .finally(page.reload);
  };
  const restore = (document: DocumentSummary): void =>
    act(document, api.restore(document.name), () => showToast({ text: t("row.restored", { title: titleOf(document) }) }));

  return {
    copyLink: (document) => void copyToClipboard(new URL(documentPath(document.name), location.href).href),
    moveToTrash: (document) =>
      act(document, api.moveToTrash(document.name), () =>
        showToast({
          text: t("row.trashed", { title: titleOf(document) }),
          action: { label: t("row.undo"), run: () => restore(document) },
        }),
      ),
    restore,
    askToDelete: page.askToDelete,
    deleteForEver: (document) =>
      act(document, api.deleteForEver(document.name), () => showToast({ text: t("row.deleted", { title: titleOf(document) }) })),
  };
}

function useCreate(api: Api): { readonly run: () => void; readonly busy: boolean } {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);
  const run = (): void => {
    setBusy(true);
    api
      .create()
      .then(({ name }) => navigate(documentPath(name)))
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        const { problem } = error;
        showToast({ text: problem.kind === "refused" ? t("problem.refused", { message: problem.message }) : t("problem.unreachable") });
      })
      .finally(() => setBusy(false));
  };
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "n" || !event.altKey || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return { run, busy };
}

/** The present moment, moving on every half minute so that "2 minutes ago" does not stay true for ever. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function isKept(entry: DocumentSummary): boolean {
  return keptDocuments().some(({ name }) => name === entry.name);
}

/** Letters compared as people do: without case, width and accents. */
function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase().trim();
}
