// What must be said above a document while it stays where it is.
import { TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Person } from "../presence/people";
import { isStalled } from "../sync/status";
import type { Opened } from "./opened";

/** What is wrong with keeping what is written. */
export function Banners({ opened }: { readonly opened: Opened }): React.JSX.Element {
  const { t } = useTranslation();
  const { status, onlyInThisTab, stores } = opened;
  return (
    <>
      {onlyInThisTab && (
        <div className="banner banner-top danger" role="alert">
          <TriangleAlert aria-hidden="true" />
          <p>{t("status.onlyInThisTab")}</p>
        </div>
      )}
      {(status.kind === "full" || status.kind === "too-large" || status.kind === "no-websocket" || (isStalled(status) && stores)) && (
        <div className="banner banner-top" role="alert">
          <TriangleAlert aria-hidden="true" />
          <p>{t(`status.${status.kind}Hint`)}</p>
        </div>
      )}
    </>
  );
}

/** Whom one follows, and the end of it. */
export function FollowingNote(props: { readonly person: Person; readonly onStop: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { name, colour } = props.person;
  return (
    <p className="following" role="status" style={{ borderColor: colour }}>
      {t("people.following", { name: name || t("people.nameless") })}
      <button type="button" className="button small" onClick={props.onStop}>
        {t("people.stopFollowing")}
      </button>
    </p>
  );
}
