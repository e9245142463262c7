// The messages that wait of one chat on their way to the server without the document being open, from a page or from the
// service worker. The chat itself knows how to send what waits once.
import { openChat, type ChatPorts } from "../chat/chat";
import { waitingOf } from "../chat/waiting";
import type { CopyRefusal } from "../sync/behind";
import { LATER, type Sending } from "../sync/send-copy";

/** Who says it. */
export interface Author {
  readonly person: string;
  readonly name: string;
  readonly colour: string;
}

/** How long a chat is waited for, in ms. */
const CHAT = 15_000;

/** What the server refuses of them lies here with its reason, and is told when the chat is opened. */
export async function sendMessages(document: string, author: Author, signals: ChatPorts["signals"]): Promise<Sending> {
  if ((await waitingOf(document)).every(({ refused }) => refused !== null)) return "nothing";
  const chat = openChat({
    document,
    ...author,
    signals,
    base: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`,
    visible: () => true,
    onVisible: () => () => undefined,
  });
  const waits = (): boolean => chat.state().waiting.some(({ refused }) => refused === null);
  try {
    await chat.settled();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CHAT);
      const look = (): void => {
        const { line } = chat.state();
        if (waits() && line !== "ended" && line !== "lost") return;
        clearTimeout(timer);
        resolve();
      };
      chat.subscribe(look);
      look();
    });
    const { line } = chat.state();
    if (!waits()) return "sent";
    // A line that was lost is everybody's.
    return line === "ended" ? CLOSED : { ...LATER, everywhere: line !== "live" };
  } finally {
    chat.dispose();
    await chat.settled();
  }
}

/** The server will not have us in this chat. */
const CLOSED: CopyRefusal = { status: 410, code: "chat_closed", message: "this chat is closed" };
