// One document, whatever its kind: opens its room, shows where it stands, and puts the kind's own view into the frame.
import { ArrowLeft, Ellipsis, Eye, FileQuestion, Link2, MessageSquare, Star, StarOff, Trash2, TriangleAlert } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ChatButton } from "../chat/button";
import { quoted, withQuote } from "../chat/quote";
import { useAnnouncedMessages, useChat } from "../chat/use-chat";
import { rememberKept, rememberTrashed } from "../device/kept";
import { forgetMade } from "../device/made";
import { setStarred, useStarred } from "../device/starred";
import type { Api } from "../documents/api";
import { takeJustMade } from "../documents/just-made";
import { onKind, readKind, type Kind } from "../documents/kind";
import { documentPath, type DocumentName } from "../documents/name";
import type { ViewHandle, ViewOf } from "../documents/view";
import { Others } from "../presence/others";
import { useFollow } from "../presence/use-follow";
import { useAnnouncement, useArrivals, usePeople, useRollCall } from "../presence/use-people";
import { You } from "../presence/you";
import type { Room, RoomState } from "../sync/room";
import { isEditable, isLive, isReadable, isStalled } from "../sync/status";
import { useAtRest, whenAtRest } from "../ui/at-rest";
import { copyToClipboard } from "../ui/clipboard";
import { useCommands } from "../ui/commands";
import { fetched } from "../ui/fetched";
import { LazyMenu } from "../ui/lazy-menu";
import type { MenuItem } from "../ui/menu";
import { Panel } from "../ui/panel";
import { useRail } from "../ui/rail";
import { isFocusFree } from "../ui/return-focus";
import { useStore } from "../ui/store";
import { showToast } from "../ui/toast";
import { AskForName } from "./ask-for-name";
import { BarTitle } from "./bar-title";
import { Opening } from "./opening";
import { Share } from "./share";
import { StatusPill } from "./status-pill";
import { useMoveToTrash } from "./trash";
import { useMade } from "./unmade";
import { Unreachable } from "./unreachable";
import { nameByFirstLine, useCalled } from "./first-line";
import { useLeaveGuard } from "./unkept";
import { useRoom } from "./use-room";
import { useScrolledPast } from "./use-scrolled-past";
import "./page.css";

const Gone = fetched(() => import("./ended").then(({ Gone }) => Gone), { needed: "body" });
const UnmadePanel = fetched(() => import("./unmade-panel").then(({ UnmadePanel }) => UnmadePanel), { needed: "body" });
const Denied = fetched(() => import("./ended").then(({ Denied }) => Denied), { needed: "body" });
const ChangeRefused = fetched(() => import("./ended").then(({ ChangeRefused }) => ChangeRefused), { needed: "body" });

const ChatPanel = fetched(() => import("../chat/panel").then(({ ChatPanel }) => ChatPanel), { ahead: true });

export function DocumentPage(props: { readonly api: Api; readonly name: DocumentName; readonly viewOf: ViewOf }): React.JSX.Element | null {
  const room = useRoom(props.api, props.name);
  return room && <OpenDocument {...props} room={room} />;
}

// What is written here without a server is sent and counted from other pages, which then could not fetch this.
whenAtRest(() => void import("../device/send-unsent").catch(() => undefined));

/** In a room full of people the menu would be nothing else; the others are reached by their avatars. */
const MOST_FOLLOWABLE = 5;

function OpenDocument(props: { readonly api: Api; readonly name: DocumentName; readonly viewOf: ViewOf; readonly room: Room }): React.JSX.Element {
  const { t } = useTranslation();
  const { api, name, room } = props;
  const { status, onlyInThisTab, stores } = useRoomState(room);
  const readable = isReadable(status);
  const title = useCalled(room.doc);
  const kind = useKind(room);
  const made = useMade(api, name, room);
  const people = usePeople(room.awareness);
  const [handle, setHandle] = useState<ViewHandle | null>(null);
  const following = useFollow(room.awareness, handle?.goTo);
  const followed = people.find(({ client }) => client === following.client);
  const [titleHidden, titleMark] = useScrolledPast();
  const starred = useStarred().has(name);
  const moveToTrash = useMoveToTrash(api, name, title);
  const ended = status.kind === "gone" || status.kind === "denied" || status.kind === "change-refused" || status.kind === "unreachable";
  const [chatOpen, showChat] = useRail("chat");
  const chatButton = useRef<HTMLButtonElement>(null);
  const atRest = useAtRest(isLive(status));
  const chat = useChat(name, (atRest || chatOpen) && !ended, isLive(status));
  const closeChat = useCallback(() => {
    showChat(false);
    chatButton.current?.focus();
  }, [showChat]);
  const quote = useStore(quoted);
  useEffect(() => {
    if (quote === null) return;
    showChat(true);
    if (chat === null) return;
    chat.draft.set(withQuote(chat.draft.get(), quote));
    quoted.set(null);
  }, [quote, chat, showChat]);
  const names = useMemo(() => people.filter(({ self }) => !self).map(({ name }) => name), [people]);
  useAnnouncedMessages(chat, chatOpen);

  const editable = isEditable(status);
  useEffect(() => {
    if (editable && handle?.focus && takeJustMade(name) && isFocusFree()) handle.focus();
  }, [editable, handle, name]);
  useEffect(() => nameByFirstLine(room), [room]);
  useAnnouncement(room.awareness);
  useArrivals(people, isLive(status));
  useRollCall(people);
  useLeaveGuard(onlyInThisTab);
  useEffect(() => {
    let known = false;
    const look = (): void => {
      // Asked of the room itself, and once: a page need not be drawn anew between saving and saved.
      if (known || room.state().status.kind !== "saved") return;
      known = true;
      forgetMade(name);
    };
    look();
    return room.subscribe(look);
  }, [room, name]);
  useEffect(() => {
    document.title = `${title || t("doc.untitled")} · Weft`;
  }, [title, t]);
  const where = status.kind === "gone" ? "trash" : isLive(status) ? "live" : null;
  useEffect(() => {
    if (where !== null) rememberTrashed(name, where === "trash");
  }, [name, where]);
  useEffect(() => {
    if (readable && status.kind !== "loading" && stores && made === "made") rememberKept(name, title || null, kind ?? undefined);
  }, [readable, status.kind, stores, made, name, title, kind]);

  const items = (): readonly MenuItem[] => [
    { label: t("row.copyLink"), icon: <Link2 />, run: () => void copyToClipboard(new URL(documentPath(name), location.href).href) },
    starred
      ? { label: t("row.unstar"), icon: <StarOff />, run: () => setStarred(name, false) }
      : { label: t("row.star"), icon: <Star />, run: () => setStarred(name, true) },
    ...(readable ? [{ label: t("chat.title"), icon: <MessageSquare />, checked: chatOpen, run: () => showChat((open) => !open) }] : []),
    ...people
      .filter(({ self }) => !self)
      .slice(0, MOST_FOLLOWABLE)
      .map(({ client, name: who }) => ({ label: t("people.follow", { name: who || t("people.nameless") }), icon: <Eye />, run: () => following.follow(client) })),
    ...(readable && handle ? handle.items() : []),
    ...(ended ? [] : [{ label: t("row.trash"), icon: <Trash2 />, danger: true, run: moveToTrash }]),
  ];
  useCommands(items);

  const View = props.viewOf(kind);
  return (
    <div className="frame doc-frame" data-kind={kind} data-title-hidden={titleHidden ? "" : undefined}>
      <header className="bar doc-bar">
        <Link className="icon-button back" href="/" aria-label={t("doc.back")} data-tip={t("doc.back")}>
          <ArrowLeft />
        </Link>
        {readable && kind === "board" ? (
          // A board fills the page: there is no sheet to carry the title.
          <BarTitle doc={room.doc} editable={isEditable(status)} onLeave={() => handle?.focus?.()} />
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
          {readable && (
            <ChatButton ref={chatButton} chat={chat} open={chatOpen} onToggle={() => (chatOpen ? closeChat() : showChat(true))} />
          )}
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
      {!ended && <AskForName />}
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
      {followed && (
        <p className="following" role="status" style={{ borderColor: followed.colour }}>
          {t("people.following", { name: followed.name || t("people.nameless") })}
          <button type="button" className="button small" onClick={following.stop}>
            {t("people.stopFollowing")}
          </button>
        </p>
      )}
      {ended ? (
        <main id="content" className="home" tabIndex={-1}>
          {status.kind === "gone" && <Gone api={api} name={name} room={room} kept={status.kept} onRestored={room.retry} />}
          {status.kind === "denied" && <Denied reason={status.reason} doc={room.doc} kept={status.kept} />}
          {status.kind === "change-refused" && <ChangeRefused reason={status.reason} doc={room.doc} kept={status.kept} />}
          {status.kind === "unreachable" && <Unreachable onRetry={room.retry} />}
        </main>
      ) : (
        <main id="content" className="page" tabIndex={-1}>
          {readable && made === "never" ? (
            <UnmadePanel name={name} doc={room.doc} editable={editable} fallback={<Opening room={room} />} />
          ) : readable && View === null ? (
            <Panel level={1} icon={<FileQuestion />} title={t("doc.newerKind")} body={t("doc.newerKindHint")}>
              <button type="button" className="button primary" onClick={() => location.reload()}>
                {t("app.reload")}
              </button>
            </Panel>
          ) : readable && View !== null && made === "made" ? (
            <>
              {/* The mark the bar watches: while it is in sight, so is the title. */}
              <div ref={titleMark} className="title-mark" aria-hidden="true" />
              <View api={api} name={name} room={room} editable={editable} onHandle={setHandle} fallback={<Opening room={room} editable={editable} />} />
            </>
          ) : (
            <Opening room={room} />
          )}
        </main>
      )}
      {readable && chatOpen && chat && <ChatPanel chat={chat} people={names} onClose={closeChat} onMissing={closeChat} />}
    </div>
  );
}

/** Saved or being saved makes no difference to the page; that changes twice with every key, and the pill follows it alone. */
function useRoomState(room: Room): RoomState {
  useSyncExternalStore(room.subscribe, () => {
    const { status, onlyInThisTab, stores } = room.state();
    return `${status.kind === "saving" ? "saved" : status.kind} ${isReadable(status)} ${onlyInThisTab} ${stores}`;
  });
  return room.state();
}

function useKind(room: Room): Kind | null {
  const subscribe = useCallback((listener: () => void) => onKind(room.doc, listener), [room]);
  return useSyncExternalStore(subscribe, () => readKind(room.doc));
}
