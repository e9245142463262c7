// When what waits on this device is sent: as soon as a page is drawn, when the network or the person comes back, when a
// document was left, and with growing pauses while the server does not answer. The sending itself is fetched when there is
// something to send.
import { waitAfter } from "../sync/backoff";
import type { Signals } from "../sync/room";
import type { Api } from "./api";
import { documentsChanged } from "./changes";
import { madeHere } from "./made";
import { rememberUnsent, tellUnsent, unsentDocuments } from "./unsent";

export interface SenderParts {
  readonly signals: Pick<Signals, "onNetwork" | "onWake">;
  readonly send: () => Promise<{ readonly sent: boolean; readonly more: boolean }>;
}

/** Returns the end of it. */
export function startSender({ signals, send }: SenderParts): () => void {
  let failures = 0;
  let running = false;
  let wanted = false;
  let over = false;
  let again: ReturnType<typeof setTimeout> | undefined;

  const run = async (): Promise<void> => {
    clearTimeout(again);
    wanted = true;
    if (running) return;
    running = true;
    let more = false;
    while (wanted && !over) {
      wanted = false;
      if (unsentDocuments().length === 0) break;
      // What could not be fetched is fetched at the next try.
      const done = await send().catch(() => ({ sent: false, more: true }));
      more = done.more;
      if (done.sent) documentsChanged();
      tellUnsent();
    }
    running = false;
    if (over || !more) return void (failures = 0);
    failures += 1;
    again = setTimeout(() => void run(), waitAfter(failures));
  };

  const ends = [
    signals.onNetwork((network) => network === "up" && void run()),
    signals.onWake(() => void run()),
  ];
  void run();
  return () => {
    over = true;
    clearTimeout(again);
    for (const end of ends) end();
  };
}

let poke: () => void = () => undefined;

/** A document was left: what it did not get rid of is sent from here. */
export function sendSoon(): void {
  poke();
}

/** For the pages. Call once. */
export function startSending(api: Api, signals: Signals): void {
  // Made by an earlier version of the app, which did not write it down there.
  for (const name of madeHere()) rememberUnsent(name);
  startSender({
    signals: {
      onNetwork: signals.onNetwork,
      onWake: (listener) => {
        poke = listener;
        return signals.onWake(listener);
      },
    },
    send: async () => (await import("./send-unsent")).sendUnsent(api),
  });
}
