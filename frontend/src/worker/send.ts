// Sends what waits on this device, without a page: changes, pictures and chat messages of every document that has some, in
// turn with the pages (sync/turn.ts), so that nothing is sent from two places at a time.
import { browserMessages } from "../chat/waiting";
import { createApi } from "../documents/api";
import { parseName, type DocumentName } from "../documents/name";
import { browserPictures } from "../documents/pictures";
import { openRounds } from "../device/round";
import { sendChanges, sendParts, sendPictures } from "../device/send-document";
import { sendMessages } from "../device/send-messages";
import { documentOf } from "../sync/behind";
import type { Signals } from "../sync/room";
import { waitingIn, type Sending } from "../sync/send-copy";
import { SENT_CHANNEL } from "../ui/background-sync";

const api = createApi();

/** Every document with a copy or a message on this device. The record of what waits is for pages only. */
async function documentsHere(): Promise<readonly DocumentName[]> {
  const databases = await indexedDB.databases();
  const copies = databases.map(({ name }) => documentOf(name ?? ""));
  const names = new Set([...copies, ...(await browserMessages.documents())]);
  return [...names].map((name) => (name === null ? null : parseName(name))).filter((name) => name !== null).sort();
}

async function waits(name: DocumentName): Promise<boolean> {
  if (((await waitingIn(name))?.kept ?? 0) > 0 || (await browserPictures.of(name)).length > 0) return true;
  return (await browserMessages.of(name)).some(({ refused }) => refused === null);
}

function send(name: DocumentName): Promise<readonly Sending[]> {
  return sendParts({
    changes: () => sendChanges(name, { api }),
    pictures: () => sendPictures(name, { api, pictures: browserPictures }),
    messages: () => messagesOf(name),
  });
}

/** What somebody calls themselves is known to pages only; with a message lies what they did when they wrote it. */
async function messagesOf(name: DocumentName): Promise<Sending> {
  const last = (await browserMessages.of(name)).at(-1);
  return last === undefined ? "nothing" : sendMessages(name, { person: "", name: last.name, colour: "" }, STEADY);
}

/** Nothing is heard of the network while the browser has it awake: it was woken because there is one. */
const STEADY: Signals = { network: () => "up", onNetwork: () => () => undefined, onWake: () => () => undefined };

/** Answers whether nothing is left that could be sent another time. */
async function sendWaiting(): Promise<boolean> {
  const { sent, more } = await openRounds({ waits, send }).go(await documentsHere());
  if (sent) {
    const channel = new BroadcastChannel(SENT_CHANNEL);
    channel.postMessage(null);
    channel.close();
  }
  return !more;
}

Object.assign(globalThis, { sendWaiting });
