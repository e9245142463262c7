// Whether the server can store, in its own words; mirrors `src/http/health.rs`.
import { refusalOf } from "../rest/sent";

/** How long the server is given for its answer, in ms: shorter than the pause before it is asked again. */
const PATIENCE = 4_000;

/** Rejects where nobody answers. An answer that is not the server's own is none. */
export async function refusesToStore(fetch: typeof globalThis.fetch = globalThis.fetch.bind(globalThis)): Promise<boolean> {
  const response = await fetch("/readyz", { signal: AbortSignal.timeout(PATIENCE) });
  if (response.status !== 503) return false;
  return refusalOf(await response.json())?.code === "store_unwritable";
}
