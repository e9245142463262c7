// The connection in words. The colour of the dot says nothing the words do not.
import { useEffect, useRef, useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import type { Room } from "../sync/room";
import type { Status } from "../sync/status";
import { announce } from "../ui/live-region";

/** A change is usually durable within a few milliseconds; a word that came and went with every key would be noise. In ms. */
const BLINK = 100;

export function StatusPill(props: { readonly room: Room }): React.JSX.Element {
  const { t } = useTranslation();
  const pill = useRef<HTMLParagraphElement>(null);
  const settled = useSettled(props.room, pill);
  const word = settled.kind === "saving" && !settled.slow ? "" : t(`status.${settled.kind}`, { host: location.host });
  const kept = "kept" in settled ? settled.kept : 0;
  const detail = kept > 0 ? t("status.kept", { count: kept }) : settled.kind === "offline" ? t("status.keptNone") : null;

  // Spoken without the count: a number that changes with every key is noise.
  useEffect(() => announce(word), [word]);

  return (
    <p ref={pill} className="pill" data-status={settled.kind} data-testid="status">
      <span className="pill-dot" aria-hidden="true" />
      <span className="pill-word">{word}</span>
      {detail !== null && <span className="pill-detail">{detail}</span>}
    </p>
  );
}

/**
 * The status, except that "saved" outlives the moment in which a change is on its way. That moment comes with every key,
 * and is shown by the dot alone, past React: before each drawing React counts the letters in front of the caret, which in a
 * long text takes longer than all else.
 */
function useSettled(room: Room, pill: RefObject<HTMLElement | null>): Status {
  const [settled, setSettled] = useState(() => room.state().status);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = (): void => {
      const { status } = room.state();
      const settle = (): void => setSettled((before) => (JSON.stringify(before) === JSON.stringify(status) ? before : status));
      if (pill.current) pill.current.dataset["status"] = status.kind;
      clearTimeout(timer);
      if (status.kind === "saving" && !status.slow) timer = setTimeout(settle, BLINK);
      else settle();
    };
    read();
    const end = room.subscribe(read);
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [room, pill]);
  return settled;
}
