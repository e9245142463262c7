// The service worker from the page's side: it opens the app without a network, and a newer version waits until somebody
// says so. Only the tab that was told to change is loaded again; nobody's sentence is interrupted by another tab.
import { whenAtRest } from "./at-rest";
import { createStore, type Store } from "./store";

/** A newer version of the app is ready; `change` puts it in place and loads this page again. */
export interface Waiting {
  readonly change: () => void;
}

export const waitingVersion: Store<Waiting | null> = createStore<Waiting | null>(null);

/** What the worker looks into for assets it did not fetch ahead; named in vite.config.ts too. */
const ASSETS = "weft-assets";
/** Whoever asked for the newer version does not wait for longer than this, in ms. */
const MAKES_ROOM = 3_000;
/** A tab that stays open for days asks for news this often, in ms. Browsers ask by themselves only on navigation. */
const ASK_AGAIN = 60 * 60 * 1000;

/** Call once, when the page is drawn. Does nothing where workers are not allowed: plain HTTP other than this machine. */
export async function startOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  let registration: ServiceWorkerRegistration;
  try {
    registration = await navigator.serviceWorker.register("/sw.js", { updateViaCache: "none" });
  } catch {
    return; // a private window, or the server is away: the page works without, and the next visit tries again
  }
  followVersions(registration);
  let asked = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible" || Date.now() - asked < ASK_AGAIN) return;
    asked = Date.now();
    registration.update().catch(() => undefined);
  });
  await navigator.serviceWorker.ready;
  await keepLoaded();
  whenAtRest(() => void keepLater());
}

/** Keeps {@link waitingVersion} true while versions come, and are put in place from this tab or another one. */
export function followVersions(
  registration: Pick<ServiceWorkerRegistration, "waiting" | "installing" | "addEventListener">,
  workers: Pick<ServiceWorkerContainer, "controller" | "addEventListener"> = navigator.serviceWorker,
  reload = (): void => location.reload(),
): void {
  // A waiting worker is news only if another one is in charge; the very first has nobody to wait for.
  let inCharge = workers.controller !== null;
  const change = (): void => {
    const { waiting } = registration;
    if (waiting === null) return reload();
    workers.addEventListener("controllerchange", reload, { once: true });
    // The old one ends what it is at before it makes room, and what this page asks of it ends with the page.
    setTimeout(reload, MAKES_ROOM);
    waiting.postMessage({ type: "SKIP_WAITING" });
  };
  const offer = (): void => {
    if (registration.waiting !== null && inCharge) waitingVersion.set({ change });
  };
  offer();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
  workers.addEventListener("controllerchange", () => {
    // Another tab has put it in place: what is left to do here is to load it.
    if (inCharge) waitingVersion.set({ change: reload });
    inCharge = true;
  });
}

/**
 * What the page loaded before its first worker was in charge passed it by. Hashed files never change, so the browser's
 * own cache answers here without asking the server.
 */
async function keepLoaded(): Promise<void> {
  const loaded = performance
    .getEntriesByType("resource")
    .map(({ name }) => new URL(name))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/assets/"));
  await keep(loaded.map(({ href }) => href));
}

/** Where the build names what the worker does not fetch as it is installed: boards, which weigh as much as all the rest. */
const LATER = "/later.json";
let later: Promise<void> | null = null;

/** Fetches that too, once nothing else is to be done, so that a board can be drawn where none was opened before. */
async function keepLater(): Promise<void> {
  // Not in every browser, and not in TypeScript's library.
  const { connection } = navigator as Navigator & { readonly connection?: { readonly saveData?: boolean } };
  if (connection?.saveData === true) return;
  later ??= fetch(LATER)
    .then((answer) => answer.json() as Promise<unknown>)
    .then((files) => keep(Array.isArray(files) ? files.filter((file) => typeof file === "string") : []))
    .catch(() => void (later = null)); // the server is away: the next page that comes to rest tries again
  await later;
}

async function keep(addresses: readonly string[]): Promise<void> {
  try {
    const cache = await caches.open(ASSETS);
    for (const address of addresses) {
      if ((await caches.match(address)) === undefined) await cache.add(address);
    }
  } catch {
    // The disk is full or the server went away meanwhile; the worker keeps what it can.
  }
}

const ASKED = "weft.asked-to-keep";

/**
 * Asks the browser, once, not to clear what lies here when the disk is full: it may be the only copy of what was written
 * without a server. Some browsers ask the person in turn, so there has to be something to keep.
 */
export async function askToKeep(anything: boolean): Promise<void> {
  // Not where the connection is not safe.
  const storage = navigator.storage as StorageManager | undefined;
  try {
    if (!anything || storage === undefined || localStorage.getItem(ASKED) !== null) return;
    localStorage.setItem(ASKED, "yes");
    await storage.persist();
  } catch {
    // No storage, or no such promise: it is kept as long as the browser likes.
  }
}
