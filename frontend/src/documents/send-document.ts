// One document's changes and pictures on their way to the server without the document being open.
// Nothing leaves this device before the server has called it durable.
import { Doc, encodeStateAsUpdate } from "yjs";
import { FILES } from "../board/files";
import { sendCopy, type CopyRefusal, type Sending } from "../sync/behind";
import { ApiError, type Api } from "./api";
import type { DocumentName } from "./name";
import { isFinal, sendPicture } from "./picture-fate";
import { blobOf, type PictureStore, type WaitingPicture } from "./pictures";

export interface SenderPorts {
  readonly api: Pick<Api, "state" | "contribute" | "upload">;
  readonly pictures: Pick<PictureStore, "of" | "drop">;
}

/** "later" if something of it still waits for a better moment. What was refused waits for somebody to decide. */
export async function sendDocument(name: DocumentName, ports: SenderPorts): Promise<Sending> {
  const changes = await sendChanges(name, ports);
  if (changes === "later" || typeof changes === "object") return changes;
  // A picture is beside a document: first the one, then the other.
  const pictures = await sendPictures(name, ports);
  return pictures === "nothing" ? changes : pictures;
}

function sendChanges(name: DocumentName, { api }: SenderPorts): Promise<Sending> {
  return sendCopy(name, {
    state: () => api.state(name).catch((error: unknown) => (isUnknown(error) ? null : Promise.reject(error as Error))),
    contribute: (update) => api.contribute(name, update),
    verdict,
  });
}

async function sendPictures(name: DocumentName, { api, pictures }: SenderPorts): Promise<Sending> {
  const waiting = await pictures.of(name).catch(() => []);
  let outcome: Sending = "nothing";
  const placed = new Map<WaitingPicture, string>();
  for (const picture of waiting) {
    const fate = await sendPicture(api, name, blobOf(picture));
    if (fate.kind === "refused") {
      const { status, code, message } = fate.problem;
      outcome = { status, code, message };
    } else if (fate.kind === "waits") {
      outcome = "later";
      if (fate.problem.kind === "unreachable") break;
    } else {
      if (outcome === "nothing") outcome = "sent";
      // A text knows it by this address already; a board by the id of a file, and has to be told.
      if (isAddress(picture.key)) await pictures.drop(name, picture.key);
      else placed.set(picture, fate.address);
    }
  }
  if (placed.size === 0) return outcome;
  const doc = new Doc();
  for (const [{ key }, address] of placed) doc.getMap(FILES).set(key, address);
  try {
    await api.contribute(name, new Uint8Array(encodeStateAsUpdate(doc)));
  } catch (error) {
    return verdict(error);
  } finally {
    doc.destroy();
  }
  for (const { key } of placed.keys()) await pictures.drop(name, key);
  return outcome;
}

const isAddress = (key: string): boolean => key.startsWith("/");

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.problem.kind === "refused" && error.problem.code === "not_found";
}

/** A document in the trash is a refusal here: it is not asked about again before somebody brings it back. */
function verdict(error: unknown): "later" | CopyRefusal {
  if (!(error instanceof ApiError)) throw error;
  const { problem } = error;
  if (problem.kind !== "refused" || !(problem.code === "in_trash" || isFinal(problem))) return "later";
  return { status: problem.status, code: problem.code, message: problem.message };
}
