// Where the document stands: the view of its kind, or why there is none.
import { FileQuestion } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { ViewHandle, ViewOf } from "../documents/view";
import { fetched } from "../ui/fetched";
import { Panel } from "../ui/panel";
import type { Opened } from "./opened";
import { Opening } from "./opening";
import { Unreachable } from "./unreachable";

const Gone = fetched(() => import("./ended").then(({ Gone }) => Gone), { needed: "body" });
const UnmadePanel = fetched(() => import("./unmade-panel").then(({ UnmadePanel }) => UnmadePanel), { needed: "body" });
const Denied = fetched(() => import("./ended").then(({ Denied }) => Denied), { needed: "body" });
const ChangeRefused = fetched(() => import("./ended").then(({ ChangeRefused }) => ChangeRefused), { needed: "body" });

interface ContentProps {
  readonly opened: Opened;
  readonly viewOf: ViewOf;
  /** Stands above the view: while it is in sight, so is the title. */
  readonly titleMark: (element: HTMLElement | null) => void;
  readonly onHandle: (handle: ViewHandle | null) => void;
}

export function Content(props: ContentProps): React.JSX.Element {
  const { opened } = props;
  return (
    <main id="content" className={opened.ended ? "home" : "page"} tabIndex={-1}>
      {opened.ended ? <Ended opened={opened} /> : <Shown {...props} />}
    </main>
  );
}

function Ended({ opened }: { readonly opened: Opened }): React.JSX.Element | null {
  const { api, name, room, status } = opened;
  switch (status.kind) {
    case "gone":
      return <Gone api={api} name={name} room={room} kept={status.kept} onRestored={room.retry} />;
    case "denied":
      return <Denied reason={status.reason} doc={room.doc} kept={status.kept} />;
    case "change-refused":
      return <ChangeRefused reason={status.reason} doc={room.doc} kept={status.kept} />;
    case "unreachable":
      return <Unreachable onRetry={room.retry} />;
    default:
      return null;
  }
}

function Shown({ opened, viewOf, titleMark, onHandle }: ContentProps): React.JSX.Element {
  const { api, name, room, kind, made, readable, editable } = opened;
  const View = viewOf(kind);
  if (!readable) return <Opening room={room} />;
  if (made === "never") return <UnmadePanel name={name} doc={room.doc} editable={editable} fallback={<Opening room={room} />} />;
  if (View === null) return <NewerKind />;
  if (made === "asking") return <Opening room={room} />;
  return (
    <>
      <div ref={titleMark} className="title-mark" aria-hidden="true" />
      <View api={api} name={name} room={room} editable={editable} onHandle={onHandle} fallback={<Opening room={room} editable={editable} />} />
    </>
  );
}

/** Somebody with a newer app made it. */
function NewerKind(): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <Panel level={1} icon={<FileQuestion />} title={t("doc.newerKind")} body={t("doc.newerKindHint")}>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        {t("app.reload")}
      </button>
    </Panel>
  );
}
