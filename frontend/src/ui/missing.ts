// Parts of the app that could not be fetched: why not, and how that is said. A server that is away and a page that is
// older than its server look the same to the one who asks for the part, and want different things of the person.
import i18next from "i18next";
import { createStore } from "./store";
import { showToast } from "./toast";

export type Missing =
  /** No server answers. What is not on this device comes when it is back. */
  | "unreachable"
  /** The server has another version of the app by now: this page's parts are gone for good. */
  | "outdated"
  /** Neither: a passing trouble of the line, or the part itself is broken. */
  | "unknown";

/** This page asked for a part of its own version that no longer exists. Said by the app above every page. */
export const outdated = createStore(false);

/** Beyond this the server counts as away, in ms. */
const PATIENCE = 5_000;

/** `entry` is the address of this page's own first script, as the page that the server hands out now would name it. */
export async function whyMissing(fetch = globalThis.fetch.bind(globalThis), entry = ownEntry()): Promise<Missing> {
  try {
    // The query keeps the service worker from answering with the page it has.
    const answer = await fetch("/?now", { headers: { accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    // A proxy in between speaks for a server that is not there.
    if (!answer.ok) return answer.status >= 500 ? "unreachable" : "unknown";
    return entry === null || (await answer.text()).includes(entry) ? "unknown" : "outdated";
  } catch {
    return "unreachable";
  }
}

/** Tells the person that what they asked for does not open. For parts the page can do without. */
export function tellMissing(why: Missing): void {
  switch (why) {
    case "outdated":
      return outdated.set(true);
    case "unreachable":
      return showToast({ text: i18next.t("missing.notHere") });
    case "unknown":
      return showToast({ text: i18next.t("missing.failed") });
  }
}

/** A part that could not be fetched, thrown where work needs it. */
export class MissingPart extends Error {
  constructor(cause: unknown) {
    super("a part of the app could not be fetched", { cause });
  }
}

/** `import()` for work that says by {@link tellMissing} what kept it from being done. */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new MissingPart(error);
  }
}

function ownEntry(): string | null {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
  return script && new URL(script.src).pathname;
}
