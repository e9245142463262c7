// The way to the chat, with a dot while something there was not read.
import { MessageSquare } from "lucide-react";
import { useCallback, useSyncExternalStore, type Ref } from "react";
import { useTranslation } from "react-i18next";
import type { Chat } from "./chat";

export function ChatButton(props: {
  readonly chat: Chat | null;
  readonly open: boolean;
  readonly onToggle: () => void;
  readonly ref: Ref<HTMLButtonElement>;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { chat } = props;
  const subscribe = useCallback((listener: () => void) => chat?.subscribe(listener) ?? (() => undefined), [chat]);
  const unread = useSyncExternalStore(subscribe, () => chat?.unread() ?? 0);
  const label = unread > 0 ? t("chat.unread", { count: unread }) : t("chat.title");
  return (
    <button ref={props.ref} type="button" className="icon-button chat-button" aria-label={label} aria-expanded={props.open} data-tip={label} onClick={props.onToggle}>
      <MessageSquare />
      {unread > 0 && <span className="chat-dot" aria-hidden="true" />}
    </button>
  );
}
