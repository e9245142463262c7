// The connection in words. The colour of the dot says nothing the words do not.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Status } from "../sync/status";
import { announce } from "../ui/live-region";

/** A change is usually durable within a few milliseconds; a word that came and went with every key would be noise. In ms. */
const BLINK = 100;

export function StatusPill(props: { readonly status: Status }): React.JSX.Element {
  const { t } = useTranslation();
  const { status } = props;
  const settled = useSettled(status);
  const word = settled.kind === "saving" && !settled.slow ? "" : t(`status.${settled.kind}`, { host: location.host });
  const kept = "kept" in settled ? settled.kept : 0;
  const detail = kept > 0 ? t("status.kept", { count: kept }) : settled.kind === "offline" ? t("status.keptNone") : null;

  // Spoken without the count: a number that changes with every key is noise.
  useEffect(() => announce(word), [word]);

  return (
    <p className="pill" data-status={status.kind} data-testid="status">
      <span className="pill-dot" aria-hidden="true" />
      <span className="pill-word">{word}</span>
      {detail !== null && <span className="pill-detail">{detail}</span>}
    </p>
  );
}

/** The status, except that "saved" outlives the moment in which a change is on its way. */
function useSettled(status: Status): Status {
  const [settled, setSettled] = useState(status);
  useEffect(() => {
    if (status.kind !== "saving" || status.slow) {
      setSettled(status);
      return;
    }
    const timer = setTimeout(() => setSettled(status), BLINK);
    return () => clearTimeout(timer);
  }, [status]);
  return settled.kind === "saved" && status.kind !== "saving" ? status : settled;
}
