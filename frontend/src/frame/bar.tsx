// The bar over a document: its title while that is out of sight, where the connection stands, who else is here, and what
// can be done.
import { ArrowLeft, Ellipsis } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ChatButton } from "../chat/button";
import type { ViewHandle } from "../documents/view";
import { Others } from "../presence/others";
import type { Person } from "../presence/people";
import { You } from "../presence/you";
import { isLive } from "../sync/status";
import { LazyMenu } from "../ui/lazy-menu";
import type { MenuItem } from "../ui/menu";
import { showToast } from "../ui/toast";
import { BarTitle } from "./bar-title";
import type { ChatSide } from "./chat-side";
import type { Opened } from "./opened";
import { Share } from "./share";
import { StatusPill } from "./status-pill";

export function Bar(props: {
  readonly opened: Opened;
  readonly handle: ViewHandle | null;
  readonly people: readonly Person[];
  readonly side: ChatSide;
  readonly items: () => readonly MenuItem[];
}): React.JSX.Element {
  const { t } = useTranslation();
  const { opened, handle, people, side, items } = props;
  const { name, room, status, kind, title, made, readable, editable } = opened;
  return (
    <header className="bar doc-bar">
      <Link className="icon-button back" href="/" aria-label={t("doc.back")} data-tip={t("doc.back")}>
        <ArrowLeft />
      </Link>
      {readable && kind === "board" ? (
        // A board fills the page: there is no sheet to carry the title.
        <BarTitle doc={room.doc} editable={editable} onLeave={() => handle?.focus?.()} />
      ) : (
        <span className="bar-title" aria-hidden="true">
          {title || t("doc.untitled")}
        </span>
      )}
      {/* Where there is nothing, nothing is saved. */}
      {(made !== "never" || !isLive(status)) && <StatusPill room={room} />}
      <div className="bar-end">
        <Others
          people={people}
          onGoTo={({ client, name: called }) => {
            if (handle?.goTo(client) === false) showToast({ text: t("people.nowhere", { name: called || t("people.nameless") }) });
          }}
        />
        {readable && made === "made" && <Share name={name} editable={editable} />}
        {readable && <ChatButton ref={side.button} chat={side.chat} open={side.open} onToggle={side.open ? side.close : side.show} />}
        <You />
        <LazyMenu
          button={
            <button type="button" className="icon-button" aria-label={t("doc.menu")}>
              <Ellipsis />
            </button>
          }
          items={items}
        />
      </div>
    </header>
  );
}
