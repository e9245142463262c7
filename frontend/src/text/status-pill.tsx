// The connection in words. The colour of the dot says nothing the words do not.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Status } from "../sync/status";
import { announce } from "../ui/live-region";

export function StatusPill(props: { readonly status: Status }): React.JSX.Element {
  const { t } = useTranslation();
  const { status } = props;
  const word = t(`status.${status.kind}`);
  const kept = "kept" in status ? status.kept : 0;
  const detail = kept > 0 ? t("status.kept", { count: kept }) : status.kind === "offline" ? t("status.keptNone") : null;

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
