// Whose turn it is to bring a document to the server: a page that has it open comes first, and of those who send behind the
// page (other tabs) one at a time. Where a browser has no such locks all may send: it is the same twice.

const nameOf = (document: string): string => `weft:sending:${document}`;

const locks = (): LockManager | null => (globalThis.navigator as Partial<Navigator> | undefined)?.locks ?? null;

/** Says that the document is open here, until the answer is called. */
export function holdTurn(document: string): () => void {
  const end = new AbortController();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  locks()
    ?.request(nameOf(document), { mode: "shared", signal: end.signal }, () => held)
    .catch(() => undefined);
  return () => {
    end.abort();
    release();
  };
}

/** Does it unless somebody else is at it or has the document open; then the answer is `null`. */
export async function inTurn<T>(document: string, act: () => Promise<T>): Promise<T | null> {
  const manager = locks();
  if (manager === null) return act();
  // What is done with a lock may fail; having none is no failure.
  return (await manager.request(nameOf(document), { ifAvailable: true }, async (lock) => (lock === null ? null : act())));
}
