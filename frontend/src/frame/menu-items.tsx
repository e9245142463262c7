// What can be done with the document that is open: its menu, and the same as commands.
import { Eye, Link2, MessageSquare, Star, StarOff, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { setStarred, useStarred } from "../device/starred";
import { documentPath } from "../documents/name";
import type { ViewHandle } from "../documents/view";
import type { Person } from "../presence/people";
import { copyToClipboard } from "../ui/clipboard";
import type { MenuItem } from "../ui/menu";
import type { ChatSide } from "./chat-side";
import type { Opened } from "./opened";
import { useMoveToTrash } from "./trash";

/** In a room full of people the menu would be nothing else; the others are reached by their avatars. */
const MOST_FOLLOWABLE = 5;

export function useMenuItems(
  { api, name, title, readable, ended }: Opened,
  page: { readonly handle: ViewHandle | null; readonly people: readonly Person[]; readonly onFollow: (client: number) => void; readonly side: ChatSide },
): () => readonly MenuItem[] {
  const { t } = useTranslation();
  const { handle, people, onFollow, side } = page;
  const starred = useStarred().has(name);
  const moveToTrash = useMoveToTrash(api, name, title);
  return () => [
    { label: t("row.copyLink"), icon: <Link2 />, run: () => void copyToClipboard(new URL(documentPath(name), location.href).href) },
    starred
      ? { label: t("row.unstar"), icon: <StarOff />, run: () => setStarred(name, false) }
      : { label: t("row.star"), icon: <Star />, run: () => setStarred(name, true) },
    ...(readable ? [{ label: t("chat.title"), icon: <MessageSquare />, checked: side.open, run: side.toggle }] : []),
    ...people
      .filter(({ self }) => !self)
      .slice(0, MOST_FOLLOWABLE)
      .map(({ client, name: who }) => ({ label: t("people.follow", { name: who || t("people.nameless") }), icon: <Eye />, run: () => onFollow(client) })),
    ...(readable && handle ? handle.items() : []),
    ...(ended ? [] : [{ label: t("row.trash"), icon: <Trash2 />, danger: true, run: moveToTrash }]),
  ];
}
