// Making a document without a server. It reaches the server when it is opened, or like all that waits on this device
// (sender.ts), whichever is first; that both may happen changes nothing, because its name and what is in it are the same.
import { applyUpdate, Doc } from "yjs";
import type { Beginning } from "../documents/beginning";
import { sayKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import { rememberUnsent } from "../documents/unsent";
import { inspectCopy, openIndexedDbCopy } from "../sync/copy";
import { rememberKept } from "./kept";
import { rememberMade } from "./made";

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
  const found = await inspectCopy(name).catch(() => null);
  if (found === null || found.kept === 0 || found.bytes === 0 || !rememberMade(name)) return false;
  rememberKept(name, title, kind);
  rememberUnsent(name);
  return true;
}
