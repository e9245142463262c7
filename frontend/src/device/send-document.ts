// One document's parts on their way to the server without the document being open, from a page or from the service worker:
// its changes, its pictures, then what is said in its chat. Nothing leaves this device before the server has called it
// durable.
import { Doc, encodeStateAsUpdate } from "yjs";
import { FILES } from "../documents/roots";
import { ApiError, type Api, type Problem } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { isFinal, sendPicture } from "../documents/picture-fate";
import { blobOf, type PictureStore, type WaitingPicture } from "../documents/pictures";
import { type CopyRefusal } from "../sync/behind";
import { isLater, isRefusal, LATER, sendCopy, type Later, type Sending } from "../sync/send-copy";

export interface SenderPorts {
  readonly api: Pick<Api, "state" | "contribute" | "upload">;
  readonly pictures: Pick<PictureStore, "of" | "drop">;
  /** What was said to a picture before, which is not asked about again. */
  readonly refusal?: (key: string) => CopyRefusal | null;
  readonly refused?: (key: string, refusal: CopyRefusal) => void;
}

export interface Parts {
  readonly changes: () => Promise<Sending>;
  readonly pictures: () => Promise<readonly Sending[]>;
  readonly messages: () => Promise<Sending>;
}

/** Each part by itself: a picture that is refused holds back no message. */
export async function sendParts(parts: Parts): Promise<readonly Sending[]> {
  const changes = await parts.changes();
  if (isLater(changes)) return [changes];
  const pictures = isRefusal(changes) ? [] : await parts.pictures();
  if (pictures.some((picture) => isLater(picture) && picture.everywhere)) return [changes, ...pictures];
  return [changes, ...pictures, await parts.messages()];
}

/** What became of the changes. */
export function sendChanges(name: DocumentName, { api }: Pick<SenderPorts, "api">): Promise<Sending> {
  return sendCopy(name, {
    state: () => api.state(name).catch((error: unknown) => (isUnknown(error) ? null : Promise.reject(error as Error))),
    contribute: (update) => api.contribute(name, update),
    verdict,
  });
}

/** What became of each picture. A picture is beside a document: first the one, then the other. */
export async function sendPictures(name: DocumentName, ports: SenderPorts): Promise<readonly Sending[]> {
  const { api, pictures } = ports;
  const outcomes: Sending[] = [];
  const placed = new Map<WaitingPicture, string>();
  for (const picture of await pictures.of(name)) {
    const known = ports.refusal?.(picture.key) ?? null;
    if (known !== null) {
      outcomes.push(known);
      continue;
    }
    const fate = await sendPicture(api, name, blobOf(picture));
    // A text knows it by this address already; a board by the id of a file, and has to be told.
    if (fate.kind === "stored" && !isAddress(picture.key)) {
      placed.set(picture, fate.address);
      continue;
    }
    if (fate.kind === "stored") await pictures.drop(name, picture.key);
    const outcome = fate.kind === "stored" ? "sent" : meaning(fate.problem);
    outcomes.push(outcome);
    if (fate.kind === "refused" && isRefusal(outcome)) ports.refused?.(picture.key, outcome);
    // It is the document that is not to be had, or nobody is there.
    else if (isRefusal(outcome) || (isLater(outcome) && outcome.everywhere)) break;
  }
  if (placed.size > 0) outcomes.push(await tell(name, placed, ports));
  return outcomes;
}

async function tell(name: DocumentName, placed: ReadonlyMap<WaitingPicture, string>, { api, pictures }: SenderPorts): Promise<Sending> {
  const doc = new Doc();
  for (const [{ key }, address] of placed) doc.getMap(FILES).set(key, address);
  const update = new Uint8Array(encodeStateAsUpdate(doc));
  doc.destroy();
  const trouble = await api.contribute(name, update).then(() => null, verdict);
  if (trouble !== null) return trouble;
  for (const { key } of placed.keys()) await pictures.drop(name, key);
  return "sent";
}

const isAddress = (key: string): boolean => key.startsWith("/");

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.problem.kind === "refused" && error.problem.code === "not_found";
}

function verdict(error: unknown): Later | CopyRefusal {
  if (!(error instanceof ApiError)) throw error;
  return meaning(error.problem);
}

/** Said to whoever asks, and not about a document: who are you, come again later. */
const EVERYWHERE = new Set([401, 407, 429, 502, 503, 504]);

/** A document in the trash is a refusal here: it is not asked about again before somebody brings it back. */
function meaning(problem: Problem): Later | CopyRefusal {
  const after = problem.kind === "garbled" ? 0 : (problem.retryAfter ?? 0);
  // Nobody is there, or another in the place of the server.
  if (problem.kind !== "refused") return { everywhere: true, after };
  const { status, code, message } = problem;
  if (code === "in_trash" || isFinal(problem)) return { status, code, message };
  // Of what was refused in one document before, the server wants to hear no more for a while.
  return { ...LATER, everywhere: EVERYWHERE.has(status) && code !== "refused_again", after };
}
