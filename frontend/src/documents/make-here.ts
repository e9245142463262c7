// Making a document without a server, and handing over what was made so. It reaches the server when it is opened, or from
// the first page, whichever is first; that both may happen changes nothing, because its name and what is in it are the same.
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { inspectCopy, openIndexedDbCopy } from "../sync/copy";
import { ApiError, type Api } from "./api";
import type { Beginning } from "./create";
import { rememberKept } from "./device";
import { sayKind } from "./kind";
import { forgetMade, madeHere, rememberMade } from "./made";
import type { DocumentName } from "./name";

/** Makes a document on this device. `false` if this browser stores nothing: there would be nothing to come back to. */
export async function makeHere({ kind, title, update }: Beginning, name: DocumentName): Promise<boolean> {
  const doc = new Doc();
  const copy = openIndexedDbCopy(name, doc);
  try {
    if ((await copy.loaded) === null) return false;
    applyUpdate(doc, update);
    sayKind(doc, kind);
    copy.keep(1);
  } finally {
    copy.dispose();
    doc.destroy();
  }
  // Asked for once more: what can be read back will also be there when the page has gone on.
  const found = await inspectCopy(name);
  if (found === null || found.kept === 0 || found.bytes === 0 || !rememberMade(name)) return false;
  rememberKept(name, title, kind);
  return true;
}

/** Hands the server what was made here. Answers whether it now has more than before. */
export async function sendMade(api: Pick<Api, "contribute">): Promise<boolean> {
  let sent = false;
  for (const name of madeHere()) {
    const doc = new Doc();
    const copy = openIndexedDbCopy(name, doc);
    try {
      // A copy that cannot be read now may be readable on the next visit.
      if ((await copy.loaded) === null) continue;
      await api.contribute(name, new Uint8Array(encodeStateAsUpdate(doc)));
      forgetMade(name);
      sent = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.problem.kind === "unreachable") return sent;
      // In the trash by now, or not ours to make: opening it says which, and keeps what is written in it.
      if (error.problem.kind === "refused") forgetMade(name);
    } finally {
      copy.dispose();
      doc.destroy();
    }
  }
  return sent;
}
