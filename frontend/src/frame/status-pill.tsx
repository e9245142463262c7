// The connection in words. The colour of the dot says nothing the words do not.
import { useEffect, useRef, useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import type { Room, RoomState } from "../sync/room";
import { announce } from "../ui/live-region";

export function StatusPill(props: { readonly room: Room }): React.JSX.Element {
  const { t } = useTranslation();
  const pill = useRef<HTMLParagraphElement>(null);
  const settled = useSettled(props.room, pill);
  const { status, stores } = settled;
  const word = t(`status.${status.kind}`);
  const kept = "kept" in status ? status.kept : 0;
  const detail = status.kind === "loading" && status.percent !== null ? t("status.loaded", { percent: status.percent }) : kept > 0 ? t(stores ? "status.kept" : "status.onlyHere", { count: kept }) : status.kind === "offline" && stores ? t("status.keptNone") : null;

  // Spoken without the count, a number that changes with every key, or many times a second while a document comes; and saved only at the end of something else.
  const spoken = useRef<string | null>(null);
  useEffect(() => {
    if (status.kind === "saving" || spoken.current === word) return;
    spoken.current = word;
    announce(word);
  }, [status.kind, word]);

  return (
    <p ref={pill} className="pill" data-status={status.kind} data-testid="status" title={status.kind === "saved" ? t("status.savedOn", { host: location.host }) : undefined}>
      <span className="pill-dot" aria-hidden="true" />
      <span className="pill-word">{word}</span>
      {detail !== null && <span className="pill-detail">{detail}</span>}
    </p>
  );
}

/**
 * The status, except that "saved" outlives the moment in which a change is on its way, until that takes long enough to be
 * worth a word. The moment comes with every key, and is shown by the dot alone, past React: before each drawing React
 * counts the letters in front of the caret, which in a long text takes longer than all else.
 */
function useSettled(room: Room, pill: RefObject<HTMLElement | null>): RoomState {
  const [settled, setSettled] = useState(room.state);
  useEffect(() => {
    const read = (): void => {
      const state = room.state();
      const { status } = state;
      if (pill.current) pill.current.dataset["status"] = status.kind;
      setSettled((before) => {
        const onItsWay = status.kind === "saving" && !status.slow && before.status.kind === "saved";
        return onItsWay || JSON.stringify(before) === JSON.stringify(state) ? before : state;
      });
    };
    read();
    return room.subscribe(read);
  }, [room, pill]);
  return settled;
}
