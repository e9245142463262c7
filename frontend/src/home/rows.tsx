// The two lists of the first page: what this device knows by itself, and what the server told.
import { useTranslation } from "react-i18next";
import type { Unsent } from "../device/send-unsent";
import { isKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import { AwayRow, KeptRow, LiveRow, TrashRow, type RowActions } from "./row";
import type { Tab } from "./tab";
import type { Found } from "./use-found";

interface RowsProps {
  readonly found: Found;
  readonly now: number;
  readonly unsent: ReadonlyMap<DocumentName, Unsent>;
}

export function DeviceRows({ found, now, unsent }: RowsProps): React.JSX.Element | null {
  const { t } = useTranslation();
  const { here, away } = found;
  if (here.length + away.length === 0) return null;
  return (
    <ul className="rows" aria-label={t("row.here")}>
      {here.map((entry) => (
        <KeptRow key={entry.name} document={entry} now={now} unsent={unsent.get(entry.name)} />
      ))}
      {away.map((entry) => (
        <AwayRow key={entry.name} document={entry} />
      ))}
    </ul>
  );
}

export function ListedRows({ tab, found, now, unsent, actions }: RowsProps & { readonly tab: Tab; readonly actions: RowActions }): React.JSX.Element {
  const { t } = useTranslation();
  const { listed, kept, unreachable, starred } = found;
  return (
    <ul className="rows" aria-label={tab === "trash" ? t("home.listTrash") : tab === "starred" ? t("home.listStarred") : t("home.list")}>
      {listed.map((entry) =>
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
  );
}
