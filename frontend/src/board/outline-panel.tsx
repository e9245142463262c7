// The outline beside the board: what is written on it, as a list one can read and go along.
import { Frame, StickyNote, Type, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { outlineOf, type Entry, type Outline } from "./outline";
import type { BoardSession } from "./session";

/** The list follows the board after this much quiet, in ms: reading it again for every move of a drag helps nobody. */
const QUIET = 300;

export function OutlinePanel(props: {
  readonly session: BoardSession;
  readonly onGoTo: (id: string) => void;
  readonly onClose: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { session } = props;
  const [outline, setOutline] = useState<Outline>(() => outlineOf(session.elements()));
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = session.subscribe(() => {
      clearTimeout(timer);
      timer = setTimeout(() => setOutline(outlineOf(session.elements())), QUIET);
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [session]);
  useEffect(() => heading.current?.focus(), []);

  return (
    <aside
      className="outline"
      aria-label={t("board.outline")}
      onKeyDown={(event) => {
        if (event.key === "Escape") props.onClose();
      }}
    >
      <div className="outline-head">
        <h2 ref={heading} tabIndex={-1}>
          {t("board.outline")}
        </h2>
        <button type="button" className="icon-button" aria-label={t("board.closeOutline")} onClick={props.onClose}>
          <X />
        </button>
      </div>
      {outline.entries.length === 0 && <p className="quiet">{t("board.nothingWritten")}</p>}
      <Entries entries={outline.entries} onGoTo={props.onGoTo} />
      {outline.silent > 0 && <p className="quiet">{t("board.silent", { count: outline.silent })}</p>}
    </aside>
  );
}

const ICONS = { frame: Frame, note: StickyNote, text: Type } as const;

function Entries(props: { readonly entries: readonly Entry[]; readonly onGoTo: (id: string) => void }): React.JSX.Element | null {
  const { t } = useTranslation();
  if (props.entries.length === 0) return null;
  return (
    <ul className="outline-list">
      {props.entries.map(({ id, kind, words, inside }) => {
        const Icon = ICONS[kind];
        return (
          <li key={id}>
            <button type="button" className="outline-entry" onClick={() => props.onGoTo(id)}>
              <Icon aria-hidden="true" />
              <span className="visually-hidden">{t(`board.kind.${kind}`)}</span>
              <span>{words || t("board.unnamedFrame")}</span>
            </button>
            <Entries entries={inside} onGoTo={props.onGoTo} />
          </li>
        );
      })}
    </ul>
  );
}
