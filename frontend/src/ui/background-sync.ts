// Asking the browser to wake the service worker when there is a network, whether a page is open then or not. Where there
// is no such thing, what waits is sent by the next page. The worker's side is worker/sync.ts.

/** What the worker is woken with. */
export const SYNC_TAG = "weft-send";

/** Where the worker says that it has sent something. */
export const SENT_CHANNEL = "weft:sent";

interface Syncing {
  readonly sync?: { readonly register: (tag: string) => Promise<void> };
}

/** Asked twice it is the same as once. */
export function askForSync(): void {
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  // It never comes where no worker is registered; nobody waits for it here. Where it is forbidden, pages send.
  workers?.ready.then((registration) => (registration as Syncing).sync?.register(SYNC_TAG)).catch(() => undefined);
}
