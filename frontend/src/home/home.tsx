// The first page: what there is, what is new, and a way to begin. Starred and trash are the same page with other shelves.
import { CircleAlert, CloudOff, FileCode2, Import, Plus, Search, Shapes, Star, Trash2 } from "lucide-react";
import { useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { keptDocuments, listedDocuments, type KeptDocument } from "../device/kept";
import { useStarred } from "../device/starred";
import { ApiError, type Api, type DocumentSummary, type Problem } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import { fold } from "../documents/fold";
import { isKind } from "../documents/kind";
import { documentPath, type DocumentName } from "../documents/name";
import { problemHint, problemWords } from "../documents/problem-words";
import type { ViewOf } from "../documents/view";
import { partOfDay } from "../documents/when";
import { You } from "../presence/you";
import { useAtRest } from "../ui/at-rest";
import { copyToClipboard } from "../ui/clipboard";
import { fetched } from "../ui/fetched";
import { announce } from "../ui/live-region";
import { EmptyLoom, Logo } from "../ui/logo";
import { MissingPart, part, tellMissing, whyMissing } from "../ui/missing";
import { Panel } from "../ui/panel";
import { useArrivalFocus, useFocusStays } from "../ui/return-focus";
import { showToast } from "../ui/toast";
import { AwayRow, KeptRow, LiveRow, TrashRow, type RowActions } from "./row";
import { useShelf, useStarredShelf, type ShelfControls } from "./shelf";
import { UnsentNote, useUnsent } from "./unsent-note";
import { useCreate, type Creating } from "./use-create";
import "./home.css";

const Rename = fetched(() => import("./rename-dialog").then(({ RenameDialog }) => RenameDialog), { ahead: true });

// The question before deleting is rare; its dialog is fetched when it is asked.
const Confirm = fetched(() => import("../ui/confirm").then(({ Confirm }) => Confirm), { ahead: true });

export type Tab = "recent" | "starred" | "trash";

export function Home(props: { readonly api: Api; readonly viewOf: ViewOf; readonly tab: Tab }): React.JSX.Element {
  // Which question is asked of the server differs by tab; hooks may not, so each tab is a component.
  switch (props.tab) {
    case "starred":
      return <Starred api={props.api} viewOf={props.viewOf} />;
    case "recent":
    case "trash":
      return <Listed api={props.api} viewOf={props.viewOf} tab={props.tab} />;
  }
}

function Listed(props: { readonly api: Api; readonly viewOf: ViewOf; readonly tab: "recent" | "trash" }): React.JSX.Element {
  const controls = useShelf(props.api, props.tab === "trash" ? "trash" : "live");
  return <Documents {...props} controls={controls} />;
}

function Starred(props: { readonly api: Api; readonly viewOf: ViewOf }): React.JSX.Element {
  const controls = useStarredShelf(props.api, useStarred());
  return <Documents {...props} tab="starred" controls={controls} />;
}

function Documents(props: { readonly api: Api; readonly viewOf: ViewOf; readonly tab: Tab; readonly controls: ShelfControls }): React.JSX.Element {
  const { t } = useTranslation();
  const { api, tab } = props;
  const { state, reload, more, drop, putBack } = props.controls;
  const [query, setQuery] = useLeftAt(tab);
  const [doomed, setDoomed] = useState<DocumentSummary | null>(null);
  const [renamed, setRenamed] = useState<DocumentSummary | null>(null);
  const now = useNow();
  const starred = useStarred();
  const actions = useRowActions(api, { drop, putBack, askToDelete: setDoomed, askToRename: setRenamed });
  const creating = useCreate(api, props.viewOf, reload);
  const unsent = useUnsent();
  const [onlyUnsent, setOnlyUnsent] = useState(false);
  // Nothing waits any more: what waits later is not asked for by this.
  if (onlyUnsent && unsent.size === 0) setOnlyUnsent(false);
  const filtered = onlyUnsent && tab === "recent";
  useAtRest(state.phase === "ready");
  useArrivalFocus();
  useFocusStays();
  const heading = tab === "trash" ? t("home.trash") : tab === "starred" ? t("home.starred") : t(`home.${partOfDay(new Date(now).getHours())}`);

  useEffect(() => {
    document.title = tab === "recent" ? "Weft" : `${t(`home.${tab}`)} · Weft`;
  }, [tab, t]);

  const needle = useDeferredValue(fold(query));
  const unreachable = state.phase === "failed" && state.problem?.kind === "unreachable";
  const kept = useMemo(() => new Map(keptDocuments().map((entry) => [entry.name, entry])), [state.documents, unreachable]); // eslint-disable-line react-hooks/exhaustive-deps -- what is kept changes while other pages are open
  const matches = (title: string | null): boolean => needle === "" || fold(title ?? t("row.untitled")).includes(needle);
  const found = useMemo(() => {
    const matching = state.documents.filter((entry) => (!filtered || unsent.has(entry.name)) && (needle === "" || fold(entry.title ?? t("row.untitled")).includes(needle)));
    // Without a server, what can be opened comes first.
    return unreachable ? [...matching.filter(({ name }) => kept.has(name)), ...matching.filter(({ name }) => !kept.has(name))] : matching;
  }, [state.documents, needle, t, unreachable, kept, filtered, unsent]);
  // A search is over the whole shelf: fetch what was not shown yet.
  useEffect(() => {
    if (needle !== "" && state.next !== null && state.phase === "ready") more();
  }, [needle, state.next, state.phase, more]);
  useEffect(() => {
    if (needle !== "" && state.next === null) announce(t("home.found", { count: found.length }));
  }, [needle, state.next, found.length, t]);

  const showsDevice = unreachable && state.documents.length === 0 && tab !== "trash";
  // Whatever became of it on the server: what waits for it here is here.
  const elsewhere = filtered && !showsDevice ? [...unsent.keys()].filter((name) => !state.documents.some((entry) => entry.name === name)).map((name) => kept.get(name) ?? unlisted(name)).filter(({ title }) => matches(title)) : [];
  const onDevice = showsDevice ? [...kept.values()].filter(({ name, title, trashed }) => !trashed && (tab === "recent" || starred.has(name)) && matches(title) && (!filtered || unsent.has(name))) : [];
  const here = [...elsewhere, ...onDevice];
  const away = showsDevice && !filtered ? listedDocuments().filter(({ name, title }) => !kept.has(name) && (tab === "recent" || starred.has(name)) && matches(title)) : [];
  const anything = state.documents.length > 0 || here.length + away.length > 0;
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
      <main
        id="content"
        className="home"
        tabIndex={-1}
        onDragOver={(event) => {
          if (event.dataTransfer.types.includes("Files")) event.preventDefault();
        }}
        onDrop={(event) => {
          if (event.dataTransfer.files.length === 0) return;
          event.preventDefault();
          creating.take([...event.dataTransfer.files]);
        }}
      >
        <div className="hero">
          <div>
            <h1>{heading}</h1>
            <p className="lead">{tab === "trash" ? t("home.trashLead") : tab === "starred" ? t("home.starredLead") : t("home.lead")}</p>
          </div>
          {tab !== "trash" && <NewDocument creating={creating} />}
        </div>
        <div className="shelf-bar">
          <nav aria-label={t("home.shelves")} className="tabs">
            {(["recent", "starred", "trash"] as const).map((name) => (
              <Link key={name} href={name === "recent" ? "/" : `/${name}`} className="tab" aria-current={tab === name ? "page" : undefined}>
                {t(`home.${name}`)}
              </Link>
            ))}
          </nav>
          {(anything || query !== "") && <SearchField value={query} onChange={setQuery} />}
        </div>

        {tab === "recent" && <UnsentNote unsent={unsent} only={onlyUnsent} onOnly={setOnlyUnsent} />}
        {state.problem !== null && anything && <Banner problem={state.problem} onRetry={reload} />}
        {state.phase === "loading" && <Skeleton />}
        {state.phase === "failed" && !anything && query === "" && <Failed problem={state.problem} onRetry={reload} />}
        {state.phase === "ready" && state.documents.length === 0 && <Empty tab={tab} creating={creating} />}
        {(here.length > 0 || away.length > 0) && (
          <ul className="rows" aria-label={t("row.here")}>
            {here.map((entry) => (
              <KeptRow key={entry.name} document={entry} now={now} unsent={unsent.get(entry.name)} />
            ))}
            {away.map((entry) => (
              <AwayRow key={entry.name} document={entry} />
            ))}
          </ul>
        )}
        {state.documents.length > 0 && (
          <ul className="rows" aria-label={tab === "trash" ? t("home.listTrash") : tab === "starred" ? t("home.listStarred") : t("home.list")}>
            {found.map((entry) =>
              tab === "trash" ? (
                <TrashRow key={entry.name} document={entry} now={now} actions={actions} unsent={unsent.get(entry.name)} />
              ) : (
                <LiveRow
                  key={entry.name}
                  document={entry}
                  now={now}
                  actions={actions}
                  openable={!unreachable || kept.has(entry.name)}
                  kind={isKind(entry.kind) ? entry.kind : (kept.get(entry.name)?.kind ?? "text")}
                  starred={starred.has(entry.name)}
                  unsent={unsent.get(entry.name)}
                />
              ),
            )}
          </ul>
        )}
        {needle !== "" && found.length + here.length + away.length === 0 && (state.next === null || unreachable) && state.phase !== "loading" && (
          <p className="quiet">{t(state.next === null ? "home.noMatch" : "home.noMatchHere", { query })}</p>
        )}
        {needle === "" && state.next !== null && (
          <button type="button" className="button more" onClick={more}>
            {t("home.more")}
          </button>
        )}
      </main>
      {renamed && (
        <Rename
          title={renamed.title ?? ""}
          onTitle={(title) => actions.rename(renamed, title)}
          onClose={() => setRenamed(null)}
          onMissing={() => setRenamed(null)}
        />
      )}
      {doomed && (
        <Confirm
          title={t("confirm.title", { title: doomed.title ?? t("row.untitled") })}
          body={t("confirm.body")}
          yes={t("confirm.yes")}
          onYes={() => actions.deleteForEver(doomed)}
          onClose={() => setDoomed(null)}
          onMissing={() => setDoomed(null)}
        />
      )}
    </div>
  );
}

/** A document that this device has forgotten the title of. */
function unlisted(name: DocumentName): KeptDocument {
  return { name, title: null, kind: "text", seen: Date.now(), trashed: false };
}

/** The ways to begin, the most common first. */
function NewDocument(props: { readonly creating: Creating }): React.JSX.Element {
  const { t } = useTranslation();
  const { busy, create, pick } = props.creating;
  return (
    <div className="begin">
      <button type="button" className="button primary large" onClick={() => create("text")} disabled={busy}>
        <Plus aria-hidden="true" />
        {t("home.newText")}
      </button>
      <button type="button" className="button large" onClick={() => create("board")} disabled={busy}>
        <Shapes aria-hidden="true" />
        {t("home.newBoard")}
      </button>
      <button type="button" className="button large" onClick={() => create("plain")} disabled={busy}>
        <FileCode2 aria-hidden="true" />
        {t("home.newPlain")}
      </button>
      <button type="button" className="button large" onClick={pick} disabled={busy}>
        <Import aria-hidden="true" />
        {t("home.import")}
      </button>
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

function Empty(props: { readonly tab: Tab; readonly creating: Creating }): React.JSX.Element {
  const { t } = useTranslation();
  switch (props.tab) {
    case "trash":
      return <Panel icon={<Trash2 />} title={t("home.emptyTrash")} body={t("home.emptyTrashHint")} />;
    case "starred":
      return <Panel icon={<Star />} title={t("home.emptyStarred")} body={t("home.emptyStarredHint")} />;
    case "recent":
      return (
        <Panel icon={<EmptyLoom />} title={t("home.empty")} body={t("home.emptyHint")}>
          <button type="button" className="button primary large" onClick={() => props.creating.create("text")} disabled={props.creating.busy}>
            <Plus aria-hidden="true" />
            {t("home.newText")}
          </button>
          <button type="button" className="button large" onClick={() => props.creating.create("board")} disabled={props.creating.busy}>
            <Shapes aria-hidden="true" />
            {t("home.newBoard")}
          </button>
        </Panel>
      );
  }
}

function Failed(props: { readonly problem: Problem | null; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const problem = props.problem ?? { kind: "unreachable" };
  return (
    <Panel icon={problem.kind === "unreachable" ? <CloudOff /> : <CircleAlert />} title={problemWords(problem, t)} body={problemHint(problem, t)}>
      <button type="button" className="button primary" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
    </Panel>
  );
}

function Banner(props: { readonly problem: Problem; readonly onRetry: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="banner" role="alert">
      <CloudOff aria-hidden="true" />
      <p>
        <strong>{problemWords(props.problem, t)}.</strong> {problemHint(props.problem, t)}
      </p>
      <button type="button" className="button small" onClick={props.onRetry}>
        {t("problem.retry")}
      </button>
    </div>
  );
}

function useRowActions(
  api: Api,
  page: {
    readonly drop: (name: DocumentSummary["name"]) => void;
    readonly putBack: (document: DocumentSummary) => void;
    readonly askToDelete: (document: DocumentSummary) => void;
    readonly askToRename: (document: DocumentSummary) => void;
  },
): RowActions & { readonly deleteForEver: (document: DocumentSummary) => void; readonly rename: (document: DocumentSummary, title: string) => void } {
  const { t } = useTranslation();
  const titleOf = (document: DocumentSummary): string => document.title ?? t("row.untitled");

  /** The row goes at once; if the server then says no, or nothing, it comes back with the reason. */
  const act = (document: DocumentSummary, work: Promise<void>, done: () => void): void => {
    page.drop(document.name);
    say(work.then(done), () => page.putBack(document));
  };
  const say = (work: Promise<void>, failed?: () => void): void => {
    work
      .catch((error: unknown) => {
        failed?.();
        if (error instanceof MissingPart) return void whyMissing().then(tellMissing);
        if (!(error instanceof ApiError)) throw error;
        showToast({ text: problemWords(error.problem, t) });
      })
      // On this page, or on whichever has come in its place: a message may outlast the page that said it.
      .finally(documentsChanged);
  };
  const restored = (document: DocumentSummary): void => showToast({ text: t("row.restored", { title: titleOf(document) }) });

  return {
    copyLink: (document) => void copyToClipboard(new URL(documentPath(document.name), location.href).href),
    askToRename: page.askToRename,
    rename: (document, title) => say(part(() => import("./from-afar")).then(({ rename }) => rename(api, document.name, title))),
    duplicate: (document) => {
      const title = t("row.copyOf", { title: titleOf(document) });
      say(
        part(() => import("./from-afar"))
          .then(({ duplicate }) => duplicate(api, document.name, title))
          .then(({ shared }) => showToast({ text: shared === 0 ? t("row.duplicated", { title }) : t("row.duplicatedShared", { title, count: shared }) })),
      );
    },
    moveToTrash: (document) =>
      act(document, api.moveToTrash(document.name), () =>
        showToast({
          text: t("row.trashed", { title: titleOf(document) }),
          action: { label: t("row.undo"), run: () => say(api.restore(document.name).then(() => restored(document))) },
        }),
      ),
    restore: (document) => act(document, api.restore(document.name), () => restored(document)),
    askToDelete: page.askToDelete,
    deleteForEver: (document) =>
      act(document, api.deleteForEver(document.name), () => showToast({ text: t("row.deleted", { title: titleOf(document) }) })),
  };
}

/** What each list was left at when somebody went on to a document: they come back to it. */
const left = new Map<Tab, { readonly query: string; readonly scroll: number }>();

/** The words that are searched for, and the place in the list, both as they were left. */
function useLeftAt(tab: Tab): [string, (query: string) => void] {
  const [before] = useState(() => left.get(tab) ?? { query: "", scroll: 0 });
  const [query, setQuery] = useState(before.query);
  const now = useRef(before);
  useLayoutEffect(() => {
    // Answers with a promise in new browsers, which is no end of an effect.
    void window.scrollTo(0, before.scroll);
  }, [before]);
  useEffect(() => {
    now.current = { ...now.current, query };
    left.set(tab, now.current);
  }, [tab, query]);
  useEffect(() => {
    const look = (): void => {
      now.current = { ...now.current, scroll: window.scrollY };
      left.set(tab, now.current);
    };
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, [tab]);
  return [query, setQuery];
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
