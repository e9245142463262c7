// What of a list is shown: of what the server told, and of what this device knows where the server cannot tell.
import { useCallback, useDeferredValue, useEffect, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { keptDocuments, listedDocuments, type KeptDocument, type ListedDocument } from "../device/kept";
import type { Unsent } from "../device/send-unsent";
import { useStarred } from "../device/starred";
import type { DocumentSummary } from "../documents/api";
import { fold } from "../documents/fold";
import type { DocumentName } from "../documents/name";
import { announce } from "../ui/live-region";
import type { ShelfControls } from "./shelf";
import type { Tab } from "./tab";

export interface Asked {
  readonly tab: Tab;
  /** The words that are searched for. */
  readonly query: string;
  /** Only what holds something that no server has. */
  readonly onlyUnsent: boolean;
}

export interface Found {
  readonly listed: readonly DocumentSummary[];
  /** Documents of which the server did not tell, that this device holds, and those of which it knows only the title. */
  readonly here: readonly KeptDocument[];
  readonly away: readonly ListedDocument[];
  /** There is something to search in. */
  readonly anything: boolean;
  readonly searching: boolean;
  readonly unreachable: boolean;
  readonly kept: ReadonlyMap<DocumentName, KeptDocument>;
  readonly starred: ReadonlySet<DocumentName>;
}

export function useFound({ state, more }: ShelfControls, { tab, query, onlyUnsent }: Asked, unsent: ReadonlyMap<DocumentName, Unsent>): Found {
  const { t } = useTranslation();
  const starred = useStarred();
  const needle = useDeferredValue(fold(query));
  const unreachable = state.phase === "failed" && state.problem?.kind === "unreachable";
  const kept = useMemo(() => new Map(keptDocuments().map((entry) => [entry.name, entry])), [state.documents, unreachable]); // eslint-disable-line react-hooks/exhaustive-deps -- what is kept changes while other pages are open
  const matches = useCallback(({ title }: { readonly title: string | null }) => needle === "" || fold(title ?? t("row.untitled")).includes(needle), [needle, t]);
  const listed = useMemo(() => {
    const matching = state.documents.filter((entry) => (!onlyUnsent || unsent.has(entry.name)) && matches(entry));
    // Without a server, what can be opened comes first.
    return unreachable ? [...matching.filter(({ name }) => kept.has(name)), ...matching.filter(({ name }) => !kept.has(name))] : matching;
  }, [state.documents, matches, unreachable, kept, onlyUnsent, unsent]);
  // A search is over the whole shelf: fetch what was not shown yet.
  useEffect(() => {
    if (needle !== "" && state.next !== null && state.phase === "ready") more();
  }, [needle, state.next, state.phase, more]);
  useEffect(() => {
    if (needle !== "" && state.next === null) announce(t("home.found", { count: listed.length }));
  }, [needle, state.next, listed.length, t]);

  const showsDevice = unreachable && state.documents.length === 0 && tab !== "trash";
  const isOfTab = (name: DocumentName): boolean => tab === "recent" || starred.has(name);
  // Whatever became of it on the server: what waits for it here is here.
  const elsewhere = onlyUnsent && !showsDevice ? [...unsent.keys()].filter((name) => !state.documents.some((entry) => entry.name === name)).map((name) => kept.get(name) ?? unlisted(name)) : [];
  const onDevice = showsDevice ? [...kept.values()].filter(({ name, trashed }) => !trashed && isOfTab(name) && (!onlyUnsent || unsent.has(name))) : [];
  const here = [...elsewhere, ...onDevice].filter(matches);
  const away = showsDevice && !onlyUnsent ? listedDocuments().filter((entry) => !kept.has(entry.name) && isOfTab(entry.name) && matches(entry)) : [];
  const anything = state.documents.length + here.length + away.length > 0;
  return { listed, here, away, anything, searching: needle !== "", unreachable, kept, starred };
}

/** A document that this device has forgotten the title of. */
function unlisted(name: DocumentName): KeptDocument {
  return { name, title: null, kind: "text", seen: Date.now(), trashed: false };
}
