// The first page: what there is, what is new, and a way to begin. Starred and trash are the same page with other shelves.
import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { keptDocuments, listedDocuments, type KeptDocument } from "../device/kept";
import { useStarred } from "../device/starred";
import type { Api, DocumentSummary } from "../documents/api";
import { fold } from "../documents/fold";
import { isKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import type { ViewOf } from "../documents/view";
import { partOfDay } from "../documents/when";
import { You } from "../presence/you";
import { useAtRest } from "../ui/at-rest";
import { fetched } from "../ui/fetched";
import { announce } from "../ui/live-region";
import { Logo } from "../ui/logo";
import { useArrivalFocus, useFocusStays } from "../ui/return-focus";
import { Banner, Empty, Failed, Skeleton } from "./instead";
import { NewDocument } from "./new-document";
import { AwayRow, KeptRow, LiveRow, TrashRow } from "./row";
import { SearchField } from "./search-field";
import { useShelf, useStarredShelf, type ShelfControls } from "./shelf";
import type { Tab } from "./tab";
import { UnsentNote, useUnsent } from "./unsent-note";
import { useCreate } from "./use-create";
import { useLeftAt } from "./use-left-at";
import { useNow } from "./use-now";
import { useRowActions } from "./use-row-actions";
import "./home.css";

const Rename = fetched(() => import("./rename-dialog").then(({ RenameDialog }) => RenameDialog), { ahead: true });

// The question before deleting is rare; its dialog is fetched when it is asked.
const Confirm = fetched(() => import("../ui/confirm").then(({ Confirm }) => Confirm), { ahead: true });

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
