// The chat of the open document, for the page: fetched and opened when there is a reason to, ended with the page.
import { useEffect, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { COLOURS } from "../ui/colours";
import { useOwnColour, worn } from "../presence/worn";
import { announce } from "../ui/live-region";
import { settings, useSettings } from "../ui/settings";
import { browserSignals } from "../ui/signals";
import type { Chat } from "./chat";
import type { State } from "./state";

/** Messages within this time become one sentence for the ears, in ms. */
const COLLECT = 1_000;

/** `wanted` once the document has had its turn, or the panel is opened; `live` while the server is known to be there. */
export function useChat(document: string, wanted: boolean, live: boolean): Chat | null {
  const [chat, setChat] = useState<Chat | null>(null);
  const { name } = useSettings();
  const colour = useOwnColour();
  useEffect(() => {
    if (!wanted) return;
    let opened: Chat | null = null;
    let ended = false;
    import("./chat").then(
      ({ openChat }) => {
        if (ended) return;
        const { person, name } = settings.get();
        opened = openChat({
          document,
          person,
          name: name ?? "",
          colour: worn.get() ?? settings.get().colour ?? COLOURS[0],
          signals: browserSignals,
          base: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`,
          visible: () => window.document.visibilityState === "visible",
          onVisible: (listener) => {
            window.document.addEventListener("visibilitychange", listener);
            return () => window.document.removeEventListener("visibilitychange", listener);
          },
        });
        setChat(opened);
      },
      () => undefined, // without the server the panel says so itself, and the next visit asks again
    );
    return () => {
      ended = true;
      opened?.dispose();
      setChat(null);
    };
  }, [document, wanted]);
  useEffect(() => chat?.call(name ?? "", colour), [chat, name, colour]);
  useEffect(() => {
    if (live) chat?.hurry();
  }, [chat, live]);
  return chat;
}

export function useChatState(chat: Chat): State {
  return useSyncExternalStore(chat.subscribe, chat.state);
}

/** Says what others write: in full where it is read anyway, by name alone where it would interrupt. */
export function useAnnouncedMessages(chat: Chat | null, reading: boolean): void {
  const { t, i18n } = useTranslation();
  useEffect(() => {
    if (chat === null) return;
    let collected: { readonly name: string; readonly text: string }[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (): void => {
      timer = undefined;
      const names = new Intl.ListFormat(i18n.language).format(new Set(collected.map(({ name }) => name)));
      const [only] = collected;
      const one = collected.length === 1 && only !== undefined && reading;
      announce(one ? t("chat.heard", only) : t("chat.heardFrom", { count: collected.length, names }));
      collected = [];
    };
    const end = chat.onArrival(({ author, text }) => {
      collected.push({ name: author.name, text });
      timer ??= setTimeout(tell, COLLECT);
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [chat, reading, t, i18n.language]);
}
