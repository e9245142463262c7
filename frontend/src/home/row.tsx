// One document in a list: a link over the whole row, and what can be done with it.
import { CloudOff, CopyPlus, Ellipsis, Link2, Pencil, RotateCcw, Star, StarOff, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { KeptDocument, ListedDocument } from "../device/kept";
import type { Unsent } from "../device/send-unsent";
import { setStarred } from "../device/starred";
import type { DocumentSummary } from "../documents/api";
import type { Kind } from "../documents/kind";
import { KIND_ICONS } from "../documents/kind-icon";
import { documentPath } from "../documents/name";
import { relativeTime, size } from "../documents/when";
import { Avatar } from "../presence/avatar";
import { LazyMenu } from "../ui/lazy-menu";
import type { MenuItem } from "../ui/menu";
import { UnsentSign } from "./unsent-note";

/** How many of those inside are drawn; the number says how many there are. */
const FACES = 3;
/** The server names no more people than these; mirrors `people` in src/document/state.rs. */
const NAMED = 5;

/** People, not tabs: whoever is named is counted once. Only of a crowd, and of those without a name, connections are all that is known. */
export function insideCount({ people, editors }: Pick<DocumentSummary, "people" | "editors">): number {
  return people.length > 0 && people.length < NAMED ? people.length : editors;
}

export interface RowActions {
  readonly copyLink: (document: DocumentSummary) => void;
  readonly askToRename: (document: DocumentSummary) => void;
  readonly duplicate: (document: DocumentSummary) => void;
  readonly moveToTrash: (document: DocumentSummary) => void;
  readonly restore: (document: DocumentSummary) => void;
  readonly askToDelete: (document: DocumentSummary) => void;
}

export function LiveRow(props: {
  readonly document: DocumentSummary;
  readonly now: number;
  readonly actions: RowActions;
  /** Without a server only what is on this device can be opened. */
  readonly openable: boolean;
  readonly kind: Kind;
  readonly starred: boolean;
  readonly unsent?: Unsent | undefined;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { document, actions } = props;
  const title = document.title ?? t("row.untitled");
  const items: readonly MenuItem[] = [
    { label: t("row.copyLink"), icon: <Link2 />, run: () => actions.copyLink(document) },
    props.starred
      ? { label: t("row.unstar"), icon: <StarOff />, run: () => setStarred(document.name, false) }
      : { label: t("row.star"), icon: <Star />, run: () => setStarred(document.name, true) },
    { label: t("row.rename"), icon: <Pencil />, run: () => actions.askToRename(document) },
    { label: t("row.duplicate"), icon: <CopyPlus />, run: () => actions.duplicate(document) },
    { label: t("row.trash"), icon: <Trash2 />, danger: true, run: () => actions.moveToTrash(document) },
  ];
  const edited = relativeTime(document.modified, props.now, i18n.language) ?? t("row.justNow");
  const body = (
    <RowBody title={title} untitled={document.title === null} icon={props.openable ? KIND_ICONS[props.kind] : <CloudOff />} starred={props.starred}>
      {props.openable ? (
        <>
          {t("row.edited", { when: edited })}
          <Size bytes={document.bytes} />
        </>
      ) : (
        t("row.notHere")
      )}
      <UnsentSign unsent={props.unsent} />
    </RowBody>
  );

  return (
    <li className={props.openable ? "row" : "row row-away"}>
      {props.openable ? (
        <Link className="row-link" href={documentPath(document.name)}>
          {body}
        </Link>
      ) : (
        <div className="row-link">{body}</div>
      )}
      {document.editors > 0 && (
        <span className="inside">
          {document.people.length > 0 ? (
            <span className="inside-people">
              {document.people.slice(0, FACES).map(({ name, colour }) => (
                <Avatar key={`${name} ${colour}`} name={name} colour={colour} />
              ))}
            </span>
          ) : (
            <span className="inside-dot" aria-hidden="true" />
          )}
          <span title={document.people.map(({ name }) => name).join(", ")}>{t("row.inside", { count: insideCount(document) })}</span>
        </span>
      )}
      <LazyMenu
        button={
          <button type="button" className="icon-button row-menu" aria-label={t("row.menu", { title })}>
            <Ellipsis />
          </button>
        }
        items={items}
      />
    </li>
  );
}

export function TrashRow(props: {
  readonly document: DocumentSummary;
  readonly now: number;
  readonly actions: RowActions;
  readonly unsent?: Unsent | undefined;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { document, actions } = props;
  const title = document.title ?? t("row.untitled");
  const edited = relativeTime(document.modified, props.now, i18n.language) ?? t("row.justNow");
  return (
    <li className="row row-trash">
      <div className="row-link">
        <RowBody title={title} untitled={document.title === null} icon={<Trash2 />}>
          {t("row.edited", { when: edited })}
          <Size bytes={document.bytes} />
          <UnsentSign unsent={props.unsent} />
        </RowBody>
      </div>
      <div className="row-actions">
        <button type="button" className="button small" onClick={() => actions.restore(document)}>
          <RotateCcw aria-hidden="true" />
          {t("row.restore")}
          <span className="visually-hidden"> {title}</span>
        </button>
        <button type="button" className="button small danger" onClick={() => actions.askToDelete(document)}>
          {t("row.delete")}
          <span className="visually-hidden"> {title}</span>
        </button>
      </div>
    </li>
  );
}

/** A document known from this device only, while the server does not answer. */
export function KeptRow(props: { readonly document: KeptDocument; readonly now: number; readonly unsent?: Unsent | undefined }): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { document } = props;
  const seen = relativeTime(document.seen, props.now, i18n.language) ?? t("row.justNow");
  return (
    <li className="row">
      <Link className="row-link" href={documentPath(document.name)}>
        <RowBody title={document.title ?? t("row.untitled")} untitled={document.title === null} icon={KIND_ICONS[document.kind]}>
          {t("row.here")} · {t("row.seen", { when: seen })}
          <UnsentSign unsent={props.unsent} />
        </RowBody>
      </Link>
    </li>
  );
}

/** A document the server told of earlier and this device does not have. */
export function AwayRow(props: { readonly document: ListedDocument }): React.JSX.Element {
  const { t } = useTranslation();
  const { document } = props;
  return (
    <li className="row row-away">
      <div className="row-link">
        <RowBody title={document.title ?? t("row.untitled")} untitled={document.title === null} icon={<CloudOff />}>
          {t("row.notHere")}
        </RowBody>
      </div>
    </li>
  );
}

/** Said only where it says something: most documents are small. */
function Size(props: { readonly bytes: number }): React.JSX.Element | null {
  const { i18n } = useTranslation();
  if (props.bytes < 1000) return null;
  return <span className="row-size"> · {size(props.bytes, i18n.language)}</span>;
}

function RowBody(props: {
  readonly title: string;
  readonly untitled: boolean;
  readonly icon: React.ReactNode;
  readonly starred?: boolean;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <>
      <span className="row-icon" aria-hidden="true">
        {props.icon}
      </span>
      <span className="row-text">
        <span className={props.untitled ? "row-title row-untitled" : "row-title"}>
          {props.title}
          {props.starred && <Star className="row-star" role="img" aria-hidden="false" aria-label={t("row.isStarred")} />}
        </span>
        <span className="row-meta">{props.children}</span>
      </span>
    </>
  );
}
