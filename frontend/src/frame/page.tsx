// One document, whatever its kind: opens its room, shows where it stands, and puts the kind's own view into the frame.
import { ArrowLeft, Ellipsis, Eye, FileQuestion, Link2, MessageSquare, Star, StarOff, Trash2, TriangleAlert } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { ChatButton } from "../chat/button";
import { quoted, withQuote } from "../chat/quote";
import { useAnnouncedMessages, useChat } from "../chat/use-chat";
import { rememberKept, rememberTrashed } from "../device/kept";
import { forgetMade } from "../device/made";
import { sendSoon } from "../device/sender";
import { setStarred, useStarred } from "../device/starred";
import { ApiError, type Api } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import { takeJustMade } from "../documents/just-made";
import { onKind, readKind, type Kind } from "../documents/kind";
import { documentPath, type DocumentName } from "../documents/name";
import { expected } from "../documents/part";
import { problemWords } from "../documents/problem-words";
import { TitleField } from "../documents/title-field";
import { rememberUnsent } from "../documents/unsent";
import type { ViewHandle, ViewOf } from "../documents/view";
import { Others } from "../presence/others";
import { useFollow } from "../presence/use-follow";
import { useAnnouncement, useArrivals, usePeople, useRollCall } from "../presence/use-people";
import { You } from "../presence/you";
import { socketBase } from "../sync/address";
import { connectByHocuspocus } from "../sync/connection";
import { openIndexedDbCopy } from "../sync/copy";
import { openRoom, type Room, type RoomState } from "../sync/room";
import { isEditable, isLive, isReadable, isStalled } from "../sync/status";
import { holdTurn } from "../sync/turn";
import { useAtRest, whenAtRest } from "../ui/at-rest";
import { copyToClipboard } from "../ui/clipboard";
import { useCommands } from "../ui/commands";
import { fetched } from "../ui/fetched";
import { LazyMenu } from "../ui/lazy-menu";
import type { MenuItem } from "../ui/menu";
import { Panel } from "../ui/panel";
import { useRail } from "../ui/rail";
import { isFocusFree } from "../ui/return-focus";
import { useSettings } from "../ui/settings";
import { browserSignals } from "../ui/signals";
import { createStore, useStore } from "../ui/store";
import { showToast } from "../ui/toast";
import { BarTitle } from "./bar-title";
import { Share } from "./share";
import { StatusPill } from "./status-pill";
import { useMade } from "./unmade";
import { Unreachable } from "./unreachable";
import { refusesToStore } from "./readiness";
import { nameByFirstLine, useCalled } from "./first-line";
import { enterRoom, leaveRoom } from "./rooms";
import { useLeaveGuard } from "./unkept";
import "./page.css";

const Gone = fetched(() => import("./ended").then(({ Gone }) => Gone), { needed: "body" });
const UnmadePanel = fetched(() => import("./unmade-panel").then(({ UnmadePanel }) => UnmadePanel), { needed: "body" });
const Denied = fetched(() => import("./ended").then(({ Denied }) => Denied), { needed: "body" });
const ChangeRefused = fetched(() => import("./ended").then(({ ChangeRefused }) => ChangeRefused), { needed: "body" });

const NameStrip = fetched(() => import("../presence/name-strip").then(({ NameStrip }) => NameStrip));

const ChatPanel = fetched(() => import("../chat/panel").then(({ ChatPanel }) => ChatPanel), { ahead: true });

export function DocumentPage(props: { readonly api: Api; readonly name: DocumentName; readonly viewOf: ViewOf }): React.JSX.Element | null {
  const room = useRoom(props.api, props.name);
  return room && <OpenDocument {...props} room={room} />;
}

// What is written here without a server is sent and counted from other pages, which then could not fetch this.
whenAtRest(() => void import("../device/send-unsent").catch(() => undefined));

/** Not again before the next visit, for who has put the question off. */
const nameCanWait = createStore(false);

function AskForName(): React.JSX.Element | null {
  const { named } = useSettings();
  if (useStore(nameCanWait) || named) return null;
  const later = (): void => nameCanWait.set(true);
  return <NameStrip onLater={later} onMissing={later} fallback={<div className="name-strip" />} />;
}

async function readState(name: DocumentName): Promise<Uint8Array | null> {
  try {
    const response = await fetch(`/api/v1/documents/${encodeURIComponent(name)}/state`);
    // The page of a network that wants a login first comes with a 200, too.
    const ours = response.ok && /^application\/octet-stream\b/.test(response.headers.get("content-type") ?? "");
    return ours ? new Uint8Array(await response.arrayBuffer()) : null;
  } catch {
    return null;
  }
}

function useRoom(api: Api, name: DocumentName): Room | null {
  const [room, setRoom] = useState<Room | null>(null);
  useEffect(() => {
    const opened = enterRoom(name, () => {
      const release = holdTurn(name);
      const room = openRoom(name, {
        base: socketBase(location),
        signals: browserSignals,
        connect: connectByHocuspocus,
        reachable: () => fetch("/livez").then(({ ok }) => ok, () => false),
        refusesToStore: () => refusesToStore(),
        read: () => readState(name),
        expect: () => expected(api, name),
        fetchAhead: async (ports) => (await import("../sync/ahead")).fetchAhead({ ...ports, address: `/api/v1/documents/${encodeURIComponent(name)}/state` }),
        openCopy: openIndexedDbCopy,
        onUnsent: rememberUnsent,
      });
      return {
        ...room,
        dispose: () => {
          room.dispose();
          release();
          sendSoon(name);
        },
      };
    });
    setRoom(opened);
    return () => leaveRoom(opened);
  }, [api, name]);
  return room;
}

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

/** What is shown while the text cannot be: the title, which may be there to be written before it, and lines on their way. */
function Opening(props: { readonly room: Room; readonly editable?: boolean }): React.JSX.Element {
  return (
    <article className="sheet">
      <TitleField doc={props.room.doc} editable={props.editable === true} onLeave={() => undefined} />
      <div className="skeleton opening" aria-hidden="true">
        {[92, 97, 88, 64, 0, 95, 90, 41].map((width, line) => (
          <span key={line} className={width === 0 ? "bone-gap" : "bone bone-line"} style={{ inlineSize: `${width}%` }} />
        ))}
      </div>
    </article>
  );
}

function useMoveToTrash(api: Api, name: DocumentName, title: string): () => void {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const failed = (error: unknown): void => {
    if (!(error instanceof ApiError)) throw error;
    showToast({ text: problemWords(error.problem, t) });
  };
  return () => {
    api
      .moveToTrash(name)
      .then(() => {
        documentsChanged();
        navigate("/");
        showToast({
          text: t("row.trashed", { title: title || t("row.untitled") }),
          action: {
            label: t("row.undo"),
            run: () => {
              api
                .restore(name)
                .then(() => showToast({ text: t("row.restored", { title: title || t("row.untitled") }) }))
                .catch(failed)
                .finally(documentsChanged);
            },
          },
        });
      })
      .catch(failed);
  };
}

/** Whether the marked element has been scrolled out at the top; the bar then says the title instead. */
function useScrolledPast(): [boolean, (element: HTMLElement | null) => void] {
  const [past, setPast] = useState(false);
  const [mark, setMark] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (mark === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry) setPast(!entry.isIntersecting && entry.boundingClientRect.top < 100);
    }, { rootMargin: "-64px 0px 0px 0px" });
    observer.observe(mark);
    return () => observer.disconnect();
  }, [mark]);
  return [past && mark !== null, setMark];
}
