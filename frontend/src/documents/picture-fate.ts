// What becomes of a picture on its way to the server. One rule for texts, boards and what is sent behind the page: refused
// is only what Weft itself says no to, in its own words and for a reason that stays. Everything else (nobody there, a server
// in trouble, a gateway's own page in the place of an answer) passes, and the picture waits for that where it is kept.
import { ApiError, type Api, type Problem } from "./api";
import type { DocumentName } from "./name";

export type Refused = Extract<Problem, { kind: "refused" }>;

export type Fate =
  | { readonly kind: "stored"; readonly address: string }
  /** It is sent again later. `problem` says what was in the way this time. */
  | { readonly kind: "waits"; readonly problem: Problem }
  | { readonly kind: "refused"; readonly problem: Refused };

/** Refusals in the 400s that another time or another login ends: who is it, too slow, a race, too early, too much. */
const PASSING = new Set([401, 407, 408, 409, 421, 423, 425, 429]);

/** Whether the same thing would be refused again, whenever it is sent. */
export function isFinal(problem: Problem): problem is Refused {
  // A document in the trash may be taken out of it.
  return problem.kind === "refused" && problem.status >= 400 && problem.status < 500 && !PASSING.has(problem.status) && problem.code !== "in_trash";
}

/** Never throws for what a server or a network does. */
export async function sendPicture(api: Pick<Api, "upload">, document: DocumentName, file: Blob, signal?: AbortSignal): Promise<Fate> {
  try {
    const { url } = await api.upload(document, file, signal);
    return { kind: "stored", address: url };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { problem } = error;
    return isFinal(problem) ? { kind: "refused", problem } : { kind: "waits", problem };
  }
}
