// What waits on this device goes to the server from whatever page is open. Fetched when something waits.
import { openChat } from "../chat/chat";
import { readKept } from "../chat/kept";
import { COLOURS } from "../presence/colours";
import { forgetRefusal, type CopyRefusal, type Sending } from "../sync/behind";
import { inspectCopy } from "../sync/copy";
import { inTurn } from "../sync/turn";
import { browserSignals } from "../ui/signals";
import { settings } from "../ui/settings";
import type { Api } from "./api";
import { forgetMade } from "./made";
import type { DocumentName } from "./name";
import { browserPictures } from "./pictures";
import { sendDocument } from "./send-document";
import { forgetUnsent, unsentDocuments } from "./unsent";

export interface Unsent {
  /** Changes, pictures and chat messages that the server does not have. */
  readonly count: number;
  /** Why it will not take them. */
  readonly refused: CopyRefusal | null;
}

/** What the server said to pictures and messages in this visit; to changes it is written down with them. */
const refusals = new Map<string, CopyRefusal>();
/** What was refused is not asked about again in this visit. */
const pictures = { ...browserPictures, of: (name: string) => (refusals.has(name) ? Promise.resolve([]) : browserPictures.of(name)) };

/** What waits, by document. */
export async function lookForUnsent(): Promise<ReadonlyMap<DocumentName, Unsent>> {
  const found = new Map<DocumentName, Unsent>();
  for (const name of unsentDocuments()) {
    const copy = await inspectCopy(name);
    const waiting = await browserPictures.of(name).catch(() => []);
    const count = (copy?.kept ?? 0) + waiting.length + readKept(name).waiting.length;
    if (count > 0) found.set(name, { count, refused: copy?.refused ?? refusals.get(name) ?? null });
    else {
      refusals.delete(name);
      forgetUnsent(name);
    }
  }
  return found;
}

/** Asks the server anew about what it refused: the document was brought back. */
export async function askAgain(name: DocumentName): Promise<void> {
  refusals.delete(name);
  await forgetRefusal(name);
}

/** Sends what can be sent now. `more` if something passes by itself and is worth another try; `sent` if the server has more than before. */
export async function sendUnsent(api: Pick<Api, "state" | "contribute" | "upload">): Promise<{ readonly sent: boolean; readonly more: boolean }> {
  let [sent, more] = [false, false];
  for (const name of unsentDocuments()) {
    // Open in another page it is `null`, and sent from there.
    const outcome = await inTurn(name, () => sendAll(name, api));
    if (outcome === "sent") forgetMade(name);
    if (typeof outcome === "object" && outcome !== null) refusals.set(name, outcome);
    sent ||= outcome === "sent";
    more ||= outcome === "later";
  }
  await lookForUnsent();
  return { sent, more };
}

async function sendAll(name: DocumentName, api: Pick<Api, "state" | "contribute" | "upload">): Promise<Sending> {
  const sending = await sendDocument(name, { api, pictures });
  if (sending === "later" || typeof sending === "object" || refusals.has(name)) return sending;
  const messages = await sendMessages(name);
  return messages === "nothing" ? sending : messages;
}

/** How long a chat is waited for, in ms. */
const CHAT = 15_000;

/** The chat itself knows how to send what waits once. */
async function sendMessages(name: DocumentName): Promise<Sending> {
  const waits = (): boolean => readKept(name).waiting.some(({ refused }) => refused === null);
  if (!waits()) return "nothing";
  const { person, name: called, colour } = settings.get();
  const chat = openChat({
    document: name,
    person,
    name: called ?? "",
    colour: colour ?? COLOURS[0],
    signals: browserSignals,
    base: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`,
    visible: () => true,
    onVisible: () => () => undefined,
  });
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CHAT);
      chat.subscribe(() => {
        if (waits() && chat.state().line !== "ended") return;
        clearTimeout(timer);
        resolve();
      });
    });
    if (!waits()) return "sent";
    return chat.state().line === "ended" ? CLOSED : "later";
  } finally {
    chat.dispose();
  }
}

/** The server will not have us in this chat. */
const CLOSED: CopyRefusal = { status: 410, code: "chat_closed", message: "this chat is closed" };
