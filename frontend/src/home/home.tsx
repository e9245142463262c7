// The first page: what there is, what is new, and a way to begin. Starred and trash are the same page with other shelves.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useStarred } from "../device/starred";
import type { Api, DocumentSummary } from "../documents/api";
import type { ViewOf } from "../documents/view";
import { useAtRest } from "../ui/at-rest";
import { useArrivalFocus, useFocusStays } from "../ui/return-focus";
import { Hero, HomeBar, ShelfBar } from "./head";
import { Banner, Empty, Failed, Skeleton } from "./instead";
import { AskForTitle, AskToDelete } from "./questions";
import { DeviceRows, ListedRows } from "./rows";
import { useShelf, useStarredShelf, type ShelfControls } from "./shelf";
import type { Tab } from "./tab";
import { UnsentNote, useUnsent } from "./unsent-note";
import { useCreate, type Creating } from "./use-create";
import { useFound, type Found } from "./use-found";
import { useLeftAt } from "./use-left-at";
import { useNow } from "./use-now";
import { useRowActions } from "./use-row-actions";
import "./home.css";

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
  const { api, tab, controls } = props;
  const { state, reload, drop, putBack } = controls;
  const [query, setQuery] = useLeftAt(tab);
  const [doomed, setDoomed] = useState<DocumentSummary | null>(null);
  const [renamed, setRenamed] = useState<DocumentSummary | null>(null);
  const now = useNow();
  const actions = useRowActions(api, { drop, putBack, askToDelete: setDoomed, askToRename: setRenamed });
  const creating = useCreate(api, props.viewOf, reload);
  const unsent = useUnsent();
  const [onlyUnsent, setOnlyUnsent] = useState(false);
  // Nothing waits any more: what waits later is not asked for by this.
  if (onlyUnsent && unsent.size === 0) setOnlyUnsent(false);
  const found = useFound(controls, { tab, query, onlyUnsent: onlyUnsent && tab === "recent" }, unsent);
  useAtRest(state.phase === "ready");
  useArrivalFocus();
  useFocusStays();
  usePageTitle(tab);
  return (
    <div className="frame">
      <HomeBar />
      <main id="content" className="home" tabIndex={-1} {...takingFiles(creating)}>
        <Hero tab={tab} now={now} creating={creating} />
        <ShelfBar tab={tab} searchable={found.anything || query !== ""} query={query} onQuery={setQuery} />

        {tab === "recent" && <UnsentNote unsent={unsent} only={onlyUnsent} onOnly={setOnlyUnsent} />}
        {state.problem !== null && found.anything && <Banner problem={state.problem} onRetry={reload} />}
        {state.phase === "loading" && <Skeleton />}
        {state.phase === "failed" && !found.anything && query === "" && <Failed problem={state.problem} onRetry={reload} />}
        {state.phase === "ready" && state.documents.length === 0 && <Empty tab={tab} creating={creating} />}
        <DeviceRows found={found} now={now} unsent={unsent} />
        {state.documents.length > 0 && <ListedRows tab={tab} found={found} now={now} unsent={unsent} actions={actions} />}
        <End controls={controls} found={found} query={query} />
      </main>
      {renamed && <AskForTitle document={renamed} onTitle={(title) => actions.rename(renamed, title)} onClose={() => setRenamed(null)} />}
      {doomed && <AskToDelete document={doomed} onYes={() => actions.deleteForEver(doomed)} onClose={() => setDoomed(null)} />}
    </div>
  );
}

/** Below the rows: that nothing was found, or a way to older ones. */
function End({ controls, found, query }: { readonly controls: ShelfControls; readonly found: Found; readonly query: string }): React.JSX.Element {
  const { t } = useTranslation();
  const { state, more } = controls;
  const nothing = found.listed.length + found.here.length + found.away.length === 0;
  return (
    <>
      {found.searching && nothing && (state.next === null || found.unreachable) && state.phase !== "loading" && (
        <p className="quiet">{t(state.next === null ? "home.noMatch" : "home.noMatchHere", { query })}</p>
      )}
      {!found.searching && state.next !== null && (
        <button type="button" className="button more" onClick={more}>
          {t("home.more")}
        </button>
      )}
    </>
  );
}

/** Files that are dropped on the page are imported. */
function takingFiles({ take }: Creating): Pick<React.ComponentProps<"main">, "onDragOver" | "onDrop"> {
  return {
    onDragOver: (event) => {
      if (event.dataTransfer.types.includes("Files")) event.preventDefault();
    },
    onDrop: (event) => {
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      take([...event.dataTransfer.files]);
    },
  };
}

function usePageTitle(tab: Tab): void {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = tab === "recent" ? "Weft" : `${t(`home.${tab}`)} · Weft`;
  }, [tab, t]);
}
