// What waits on this device goes to the server from whatever page is open. Fetched when something waits.
import { openChat } from "../chat/chat";
import { readKept } from "../chat/kept";
import type { Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { browserPictures } from "../documents/pictures";
import { forgetUnsent, rememberUnsent, unsentDocuments } from "../documents/unsent";
import { type CopyRefusal } from "../sync/behind";
import { forgetRefusal, isLater, isRefusal, LATER, waitingIn, type Sending } from "../sync/send-copy";
import { COLOURS } from "../ui/colours";
import { settings } from "../ui/settings";
import { browserSignals } from "../ui/signals";
import { forgetMade } from "./made";
import { dropRefusal, forgetRefusals, refusalOf, rememberRefusal } from "./refusals";
import { openRounds, type Round } from "./round";
import { sendChanges, sendPictures } from "./send-document";

export interface Unsent {
  /** Changes, pictures and chat messages that the server does not have; `null` where this device will not say. */
  readonly count: number | null;
  /** Why it will not take them. */
  readonly refused: CopyRefusal | null;
}

/** What waits, by document. Whoever asks while it is being looked for is told what a look after that finds. */
export const lookForUnsent = oneAtATime(async (): Promise<ReadonlyMap<DocumentName, Unsent>> => {
  const found = new Map<DocumentName, Unsent>();
  for (const name of unsentDocuments()) {
    const unsent = await unsentOf(name);
    if (unsent.count !== 0) found.set(name, unsent);
  }
  return found;
});

async function unsentOf(name: DocumentName): Promise<Unsent> {
  try {
    const { copy, pictures, messages } = await waiting(name);
    const kept = copy?.kept ?? 0;
    const refusals = [
      copy?.refused ?? refusalOf(name, "changes", kept),
      ...pictures.map((key) => refusalOf(name, `picture ${key}`)),
      refusalOf(name, "chat", messages),
    ];
    return { count: kept + pictures.length + messages, refused: refusals.find((refusal) => refusal !== null) ?? null };
  } catch {
    return { count: null, refused: null };
  }
}

/** Rejects if any of it cannot be read: that is not the same as none. */
async function waiting(name: string): Promise<{ readonly copy: Awaited<ReturnType<typeof waitingIn>>; readonly pictures: readonly string[]; readonly messages: number }> {
  const copy = await waitingIn(name);
  const pictures = await browserPictures.of(name);
  return { copy, pictures: pictures.map(({ key }) => key), messages: readKept(name).waiting.length };
}

async function waits(name: string): Promise<boolean> {
  const { copy, pictures, messages } = await waiting(name);
  return (copy?.kept ?? 0) + pictures.length + messages > 0;
}

type Sender = Pick<Api, "state" | "contribute" | "upload">;

let api: Sender | null = null;
const rounds = openRounds({ waits, send: (name) => (api === null ? Promise.resolve([]) : sendAll(name, api)), settle });

/** Sends what can be sent now, those first anew that somebody has just left. */
export function sendUnsent(server: Sender, left: readonly string[] = []): Promise<Round> {
  api = server;
  for (const name of left) rounds.retry(name);
  return rounds.go(unsentDocuments());
}

/** Asks the server anew about what it refused: the document was brought back. */
export async function askAgain(name: DocumentName): Promise<void> {
  forgetRefusals(name);
  rounds.retry(name);
  await forgetRefusal(name);
}

async function settle(name: DocumentName): Promise<void> {
  if (await waits(name)) return;
  forgetUnsent(name);
  forgetMade(name);
  forgetRefusals(name);
  // Without locks, a page that has it open may have stored something between the look and the forgetting.
  if (await waits(name).catch(() => true)) rememberUnsent(name);
}

/** Each part by itself: a picture that is refused holds back no message. */
async function sendAll(name: DocumentName, api: Sender): Promise<readonly Sending[]> {
  const changes = await changesOf(name, api);
  if (isLater(changes)) return [changes];
  const pictures = isRefusal(changes) ? [] : await picturesOf(name, api);
  if (pictures.some((picture) => isLater(picture) && picture.everywhere)) return [changes, ...pictures];
  return [changes, ...pictures, await sendMessages(name)];
}

async function changesOf(name: DocumentName, api: Sender): Promise<Sending> {
  const kept = (await waitingIn(name))?.kept ?? 0;
  const known = refusalOf(name, "changes", kept);
  if (known !== null) return known;
  const changes = await sendChanges(name, { api });
  // With the copy it may not have been written down: the disk is full, or it is asked about anew when it is opened.
  if (isRefusal(changes)) rememberRefusal(name, "changes", changes, kept);
  else if (changes === "sent") dropRefusal(name, "changes");
  return changes;
}

function picturesOf(name: DocumentName, api: Sender): Promise<readonly Sending[]> {
  return sendPictures(name, {
    api,
    pictures: browserPictures,
    refusal: (key) => refusalOf(name, `picture ${key}`),
    refused: (key, refusal) => rememberRefusal(name, `picture ${key}`, refusal),
  });
}

/** How long a chat is waited for, in ms. */
const CHAT = 15_000;

/** The chat itself knows how to send what waits once. */
async function sendMessages(name: DocumentName): Promise<Sending> {
  const messages = readKept(name).waiting;
  const waits = (): boolean => readKept(name).waiting.some(({ refused }) => refused === null);
  if (!waits()) return "nothing";
  const known = refusalOf(name, "chat", messages.length);
  if (known !== null) return known;
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
  const over = (): boolean => !waits() || chat.state().line === "ended" || chat.state().line === "lost";
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CHAT);
      chat.subscribe(() => {
        if (!over()) return;
        clearTimeout(timer);
        resolve();
      });
    });
    if (!waits()) return "sent";
    const { line } = chat.state();
    if (line === "ended") rememberRefusal(name, "chat", CLOSED, messages.length);
    // A line that was lost is everybody's.
    return line === "ended" ? CLOSED : { ...LATER, everywhere: line !== "live" };
  } finally {
    chat.dispose();
  }
}

/** The server will not have us in this chat. */
const CLOSED: CopyRefusal = { status: 410, code: "chat_closed", message: "this chat is closed" };

/** Runs at most once at a time, and once more for all who asked meanwhile. */
function oneAtATime<T>(act: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  let after: Promise<T> | null = null;
  const run = (): Promise<T> => {
    after = null;
    const mine = act().finally(() => {
      if (running === mine) running = null;
    });
    return (running = mine);
  };
  return () => after ?? (running === null ? run() : (after = running.then(run, run)));
}
