// The service worker's part of sending what waits: woken by the browser when there is a network, with no page open. It
// imports nothing: workbox puts it into sw.js, which is read whenever the worker starts, and that is before any page. What
// it sends with lies in a script of its own, which the browser keeps with the worker, and which is read when it is needed.

/** Said by ui/background-sync.ts, too. */
const TAG = "weft-send";
/** Named in vite.config.ts. Answers whether all of it is there. */
const SCRIPT = "/send-unsent.js";

interface WokenEvent extends Event {
  readonly tag: string;
  readonly waitUntil: (done: Promise<unknown>) => void;
}

interface Worker {
  readonly addEventListener: (type: "install" | "sync", listener: (event: WokenEvent) => void) => void;
  readonly importScripts: (script: string) => void;
  readonly sendWaiting?: () => Promise<boolean>;
}

const worker = globalThis as unknown as Worker;

// A script that is not asked for by now may not be asked for later.
worker.addEventListener("install", () => worker.importScripts(SCRIPT));

worker.addEventListener("sync", (event) => {
  if (event.tag === TAG) event.waitUntil(send());
});

async function send(): Promise<void> {
  if (worker.sendWaiting === undefined) worker.importScripts(SCRIPT);
  const done = await worker.sendWaiting?.();
  // The browser tries a few times more, at lengthening intervals.
  if (done !== true) throw new Error("something waits yet");
}

// For the types only: a script of its own, whose names are nobody else's.
export {};
