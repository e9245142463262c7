// One document, whatever its kind: opens its room, shows where it stands, and puts the kind's own view into the frame.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Api } from "../documents/api";
import { takeJustMade } from "../documents/just-made";
import type { DocumentName } from "../documents/name";
import type { ViewHandle, ViewOf } from "../documents/view";
import { useFollow } from "../presence/use-follow";
import { useAnnouncement, useArrivals, usePeople, useRollCall } from "../presence/use-people";
import type { Room } from "../sync/room";
import { isLive } from "../sync/status";
import { useAtRest, whenAtRest } from "../ui/at-rest";
import { useCommands } from "../ui/commands";
import { isFocusFree } from "../ui/return-focus";
import { AskForName } from "./ask-for-name";
import { Banners, FollowingNote } from "./banners";
import { Bar } from "./bar";
import { ChatBeside, useChatSide } from "./chat-side";
import { Content } from "./content";
import { nameByFirstLine } from "./first-line";
import { useMenuItems } from "./menu-items";
import { useOpened, type Opened } from "./opened";
import { useRemembered } from "./remember";
import { useLeaveGuard } from "./unkept";
import { useRoom } from "./use-room";
import { useScrolledPast } from "./use-scrolled-past";
import "./page.css";

export function DocumentPage(props: { readonly api: Api; readonly name: DocumentName; readonly viewOf: ViewOf }): React.JSX.Element | null {
  const room = useRoom(props.api, props.name);
  return room && <OpenDocument {...props} room={room} />;
}

// What is written here without a server is sent and counted from other pages, which then could not fetch this.
whenAtRest(() => void import("../device/send-unsent").catch(() => undefined));

function OpenDocument(props: { readonly api: Api; readonly name: DocumentName; readonly viewOf: ViewOf; readonly room: Room }): React.JSX.Element {
  const { api, name, room, viewOf } = props;
  const opened = useOpened(api, name, room);
  const { kind, readable, ended } = opened;
  const live = isLive(opened.status);
  const [handle, setHandle] = useState<ViewHandle | null>(null);
  const [titleHidden, titleMark] = useScrolledPast();
  const people = usePeople(room.awareness);
  const following = useFollow(room.awareness, handle?.goTo);
  const followed = people.find(({ client }) => client === following.client);
  const idle = useAtRest(live);
  const side = useChatSide(name, { idle, ended, live });
  const items = useMenuItems(opened, { handle, people, onFollow: following.follow, side });
  useCommands(items);
  useFocusOfNew(opened, handle);
  usePageTitle(opened.title);
  useRemembered(opened);
  useLeaveGuard(opened.onlyInThisTab);
  useEffect(() => nameByFirstLine(room), [room]);
  useAnnouncement(room.awareness);
  useArrivals(people, live);
  useRollCall(people);
  return (
    <div className="frame doc-frame" data-kind={kind} data-title-hidden={titleHidden ? "" : undefined}>
      <Bar opened={opened} handle={handle} people={people} side={side} items={items} />
      {!ended && <AskForName />}
      <Banners opened={opened} />
      {followed && <FollowingNote person={followed} onStop={following.stop} />}
      <Content opened={opened} viewOf={viewOf} titleMark={titleMark} onHandle={setHandle} />
      {readable && <ChatBeside side={side} people={people} />}
    </div>
  );
}

/** Who has just made a document writes at once. */
function useFocusOfNew({ name, editable }: Opened, handle: ViewHandle | null): void {
  useEffect(() => {
    if (editable && handle?.focus && takeJustMade(name) && isFocusFree()) handle.focus();
  }, [editable, handle, name]);
}

function usePageTitle(title: string): void {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = `${title || t("doc.untitled")} · Weft`;
  }, [title, t]);
}
