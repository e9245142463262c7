// What waits on this device goes to the server from whatever page is open. Fetched when something waits.
import { adoptWaiting, waitingOf } from "../chat/waiting";
import type { Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { browserPictures } from "../documents/pictures";
import { forgetUnsent, rememberUnsent, unsentDocuments } from "../documents/unsent";
import { type CopyRefusal } from "../sync/behind";
import { forgetRefusal, isRefusal, waitingIn, type Sending } from "../sync/send-copy";
import { COLOURS } from "../ui/colours";
import { settings } from "../ui/settings";
import { browserSignals } from "../ui/signals";
import { forgetMade } from "./made";
import { dropRefusal, forgetRefusals, refusalOf, rememberRefusal } from "./refusals";
import { openRounds, type Round } from "./round";
import { sendChanges, sendParts, sendPictures } from "./send-document";
import { sendMessages } from "./send-messages";

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
  return { copy, pictures: pictures.map(({ key }) => key), messages: (await waitingOf(name)).length };
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

async function sendAll(name: DocumentName, api: Sender): Promise<readonly Sending[]> {
  // Whatever becomes of this round: from here on the service worker can send them, too. Where the store is full they stay
  // where they are, from where they are sent as well.
  await adoptWaiting(name, settings.get().name ?? "").catch(() => undefined);
  return sendParts({ changes: () => changesOf(name, api), pictures: () => picturesOf(name, api), messages: () => messagesOf(name) });
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

async function messagesOf(name: DocumentName): Promise<Sending> {
  const { person, name: called, colour } = settings.get();
  const count = (await waitingOf(name)).length;
  const known = refusalOf(name, "chat", count);
  if (known !== null) return known;
  const messages = await sendMessages(name, { person, name: called ?? "", colour: colour ?? COLOURS[0] }, browserSignals);
  if (isRefusal(messages)) rememberRefusal(name, "chat", messages, count);
  return messages;
}

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
