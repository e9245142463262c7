// Sends what waits on this device, without a page: changes and pictures of every document that has some, in turn with the
// pages (sync/turn.ts), so that nothing is sent from two places at a time. Chat messages wait where only pages can read,
// and are sent by the next one.
import { createApi } from "../documents/api";
import { parseName, type DocumentName } from "../documents/name";
import { browserPictures } from "../documents/pictures";
import { openRounds } from "../device/round";
import { sendChanges, sendPictures } from "../device/send-document";
import { documentOf } from "../sync/behind";
import { isLater, isRefusal, waitingIn, type Sending } from "../sync/send-copy";
import { SENT_CHANNEL } from "../ui/background-sync";

const api = createApi();

/** Every document with a copy on this device. The record of what waits is for pages only; the copies themselves say it, too. */
async function documentsHere(): Promise<readonly DocumentName[]> {
  const databases = await indexedDB.databases();
  const names = databases.map(({ name }) => documentOf(name ?? "")).map((name) => (name === null ? null : parseName(name)));
  return names.filter((name) => name !== null).sort();
}

async function waits(name: DocumentName): Promise<boolean> {
  return ((await waitingIn(name))?.kept ?? 0) > 0 || (await browserPictures.of(name)).length > 0;
}

async function send(name: DocumentName): Promise<readonly Sending[]> {
  const changes = await sendChanges(name, { api });
  if (isLater(changes) || isRefusal(changes)) return [changes];
  return [changes, ...(await sendPictures(name, { api, pictures: browserPictures }))];
}

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
