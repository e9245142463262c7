// What waits on this device, on the first page: how many documents hold something, and in each row how much and why.
import { CloudAlert, CloudUpload } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Unsent } from "../device/send-unsent";
import type { DocumentName } from "../documents/name";
import { problemWords } from "../documents/problem-words";
import { unsentDocuments, unsentNews } from "../documents/unsent";
import { useStore } from "../ui/store";

const NOTHING: ReadonlyMap<DocumentName, Unsent> = new Map();

export function useUnsent(): ReadonlyMap<DocumentName, Unsent> {
  const news = useStore(unsentNews);
  const [found, setFound] = useState(NOTHING);
  useEffect(() => {
    let over = false;
    const look = unsentDocuments().length === 0 ? Promise.resolve(NOTHING) : import("../device/send-unsent").then(({ lookForUnsent }) => lookForUnsent());
    look.then(
      (now) => !over && setFound(now),
      () => undefined, // without a server and without a worker it cannot be fetched; the documents still say so themselves
    );
    return () => {
      over = true;
    };
  }, [news]);
  return found;
}

/** There from the beginning, empty: a screen reader tells what comes into it, not what comes with it. */
export function UnsentNote(props: { readonly unsent: ReadonlyMap<DocumentName, Unsent>; readonly only: boolean; readonly onOnly: (only: boolean) => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { unsent, only, onOnly } = props;
  const count = unsent.size;
  return (
    <div className="unsent-note" data-empty={count === 0 ? "" : undefined}>
      {count > 0 && <CloudUpload aria-hidden="true" />}
      <p role="status">{count > 0 && t("home.unsent", { count })}</p>
      {count > 0 && (
        <button type="button" className="button small" aria-pressed={only} onClick={() => onOnly(!only)}>
          {t("home.unsentOnly")}
        </button>
      )}
    </div>
  );
}

/** In the row of a document, in words. */
export function UnsentSign(props: { readonly unsent: Unsent | undefined }): React.JSX.Element | null {
  const { t } = useTranslation();
  if (props.unsent === undefined) return null;
  const { count, refused } = props.unsent;
  const words = count === null ? t("row.unsentUnread") : t("row.unsent", { count });
  const why = refused === null ? null : refused.code === "chat_closed" ? t("chat.ended") : refused.code === "changed_meanwhile" ? t("row.unsentChanged") : problemWords({ kind: "refused", ...refused }, t);
  const troubled = refused !== null || count === null;
  return (
    <span className="row-unsent" data-refused={troubled ? "" : undefined}>
      {troubled ? <CloudAlert aria-hidden="true" /> : <CloudUpload aria-hidden="true" />}
      {why === null ? words : t("row.unsentRefused", { words, why })}
    </span>
  );
}
