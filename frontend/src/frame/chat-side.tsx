// The chat beside the document: opened by its button, by the menu, and by a quote from the document.
import { useCallback, useEffect, useMemo, useRef, type RefObject } from "react";
import type { Chat } from "../chat/chat";
import { quoted, withQuote } from "../chat/quote";
import { useAnnouncedMessages, useChat } from "../chat/use-chat";
import type { DocumentName } from "../documents/name";
import type { Person } from "../presence/people";
import { fetched } from "../ui/fetched";
import { useRail } from "../ui/rail";
import { useStore } from "../ui/store";

const ChatPanel = fetched(() => import("../chat/panel").then(({ ChatPanel }) => ChatPanel), { ahead: true });

export interface ChatSide {
  readonly chat: Chat | null;
  readonly open: boolean;
  readonly button: RefObject<HTMLButtonElement | null>;
  readonly show: () => void;
  /** The keyboard goes back to the button. */
  readonly close: () => void;
  /** The keyboard stays where it is. */
  readonly toggle: () => void;
}

/** `idle` once the document has had its turn; `live` while the server is known to be there. */
export function useChatSide(name: DocumentName, { idle, ended, live }: { readonly idle: boolean; readonly ended: boolean; readonly live: boolean }): ChatSide {
  const [open, setOpen] = useRail("chat");
  const button = useRef<HTMLButtonElement>(null);
  const chat = useChat(name, (idle || open) && !ended, live);
  const show = useCallback(() => setOpen(true), [setOpen]);
  const close = useCallback(() => {
    setOpen(false);
    button.current?.focus();
  }, [setOpen]);
  const toggle = useCallback(() => setOpen((open) => !open), [setOpen]);
  const quote = useStore(quoted);
  useEffect(() => {
    if (quote === null) return;
    show();
    if (chat === null) return;
    chat.draft.set(withQuote(chat.draft.get(), quote));
    quoted.set(null);
  }, [quote, chat, show]);
  useAnnouncedMessages(chat, open);
  return { chat, open, button, show, close, toggle };
}

export function ChatBeside(props: { readonly side: ChatSide; readonly people: readonly Person[] }): React.JSX.Element | null {
  const { people } = props;
  const { chat, open, close } = props.side;
  const names = useMemo(() => people.filter(({ self }) => !self).map(({ name }) => name), [people]);
  return open && chat ? <ChatPanel chat={chat} people={names} onClose={close} onMissing={close} /> : null;
}
