// When what waits on this device is sent: as soon as a page is drawn, when the network or the person comes back, when a
// document was left, and with growing pauses while the server does not answer. The sending itself is fetched when there is
// something to send. Where nothing comes of it, or the page goes, the service worker is asked to see to it.
import type { Api } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import { adoptUnsent, rememberUnsent, tellUnsent, unsentDocuments } from "../documents/unsent";
import { SHORTEST_WAIT, waitAfter } from "../sync/backoff";
import type { Signals } from "../sync/room";
import { askForSync, SENT_CHANNEL } from "../ui/background-sync";
import { madeHere } from "./made";
import { forgetRefusals } from "./refusals";
import type { Round } from "./round";

export interface SenderParts {
  readonly signals: Pick<Signals, "onNetwork" | "onWake"> & {
    /** A document was left, or brought back: what it did not get rid of is sent from here. */
    readonly onLeft: (listener: (name: string) => void) => () => void;
    /** Nobody looks at the page any more; it may be about to end. */
    readonly onHidden: (listener: () => void) => () => void;
  };
  readonly send: (left: readonly string[]) => Promise<Round>;
  /** Something waits, and this page may not be the one that gets it there. */
  readonly handOver: () => void;
}

/** Somebody goes to and fro between windows: a server that did not answer is not asked each time. In ms. */
const LOOK_AGAIN = 5_000;

/** Returns the end of it. */
export function startSender({ signals, send, handOver }: SenderParts): () => void {
  let failures = 0;
  let running = false;
  let wanted = false;
  let over = false;
  /** When the last round ended in vain, and until when the server wants to be left alone. */
  let [failed, closed] = [0, 0];
  let again: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  const left = new Set<string>();

  const at = (moment: number): void => {
    if (moment >= due) return;
    clearTimeout(again);
    due = moment;
    again = setTimeout(() => {
      due = Infinity;
      soon(0);
    }, moment - Date.now());
  };
  /** Now, or as soon as the last try in vain is so long ago. */
  const soon = (pause: number): void => {
    const moment = Math.max(closed, failures > 0 ? failed + pause : 0);
    if (moment > Date.now()) at(moment);
    else void run();
  };
  const run = async (): Promise<void> => {
    clearTimeout(again);
    due = Infinity;
    wanted = true;
    if (running) return;
    running = true;
    let round: Round = { sent: false, more: false, wait: 0 };
    // What was in vain is not begun again at once, but for what has just been left.
    while (wanted && !over && (!round.more || (left.size > 0 && round.wait === 0))) {
      wanted = false;
      if (unsentDocuments().length === 0) break;
      const names = [...left];
      left.clear();
      // What could not be fetched is fetched at the next try.
      round = await send(names).catch(() => ({ sent: false, more: true, wait: 0 }));
      if (round.sent) documentsChanged();
      tellUnsent();
    }
    running = false;
    if (over || !round.more) return void (failures = 0);
    failures += 1;
    failed = Date.now();
    closed = failed + round.wait;
    if (failures === 1) handOver();
    at(failed + Math.max(waitAfter(failures), round.wait));
  };

  const ends = [
    signals.onNetwork((network) => {
      if (network === "up") soon(SHORTEST_WAIT);
      else if (unsentDocuments().length > 0) handOver();
    }),
    signals.onWake(() => soon(LOOK_AGAIN)),
    signals.onHidden(() => unsentDocuments().length > 0 && handOver()),
    signals.onLeft((name) => {
      left.add(name);
      soon(0);
    }),
  ];
  void run();
  return () => {
    over = true;
    clearTimeout(again);
    for (const end of ends) end();
  };
}

const listeners = new Set<(name: string) => void>();

/** A document was left, or brought back: what was refused of it is asked about anew. */
export function sendSoon(name: string): void {
  forgetRefusals(name);
  for (const listener of listeners) listener(name);
}

/** For the pages. Call once. */
export function startSending(api: Api, signals: Signals): void {
  adoptUnsent();
  // Made by an earlier version of the app, which did not write it down there.
  for (const name of madeHere()) rememberUnsent(name);
  startSender({
    signals: {
      onNetwork: signals.onNetwork,
      onWake: (listener) => {
        const ends = [signals.onWake(listener), onSentByWorker(listener)];
        return () => ends.forEach((end) => end());
      },
      onLeft: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      onHidden: (listener) => {
        const hidden = (): void => void (document.visibilityState === "hidden" && listener());
        document.addEventListener("visibilitychange", hidden);
        return () => document.removeEventListener("visibilitychange", hidden);
      },
    },
    send: async (left) => (await import("./send-unsent")).sendUnsent(api, left),
    handOver: askForSync,
  });
}

/** What the worker got rid of, this page does not know to be gone. */
function onSentByWorker(listener: () => void): () => void {
  const channel = new BroadcastChannel(SENT_CHANNEL);
  channel.onmessage = () => {
    documentsChanged();
    listener();
  };
  return () => channel.close();
}
