// Texts of earlier versions were trees of XML, the root `default`. The server takes over those that this app made
// (src/document/replica/takeover.rs), once; here they are told from today's, so that nobody writes beside them before that.
// Without a server they are written in as they were (old-editor.tsx).
import type { Doc } from "yjs";
import { BODY } from "./binding/model";

/** The root that holds one. */
export const TREE = "default";
const CONVERTED = "converted";

/** `ours` waits for the server, `theirs` is another program's and stays what it is; `null` is a text of today. */
export type OldText = "ours" | "theirs" | null;

export function oldTextIn(doc: Doc): OldText {
  // Asked only where there is one: asking makes a root.
  if (!doc.share.has(TREE) || doc.getXmlFragment(TREE).length === 0 || doc.getMap(CONVERTED).size > 0) return null;
  const meta = doc.getMap("meta");
  const kind = meta.get("kind");
  const titled = typeof meta.get("title") === "string" || typeof meta.get("titleTaken") === "string";
  if (kind === "text" || (kind === undefined && titled)) return "ours";
  return doc.getText(BODY).length === 0 ? "theirs" : null;
}

/** Calls back whenever it may have become another. Returns the end of it. */
export function onOldText(doc: Doc, listener: () => void): () => void {
  doc.on("afterTransaction", listener);
  return () => doc.off("afterTransaction", listener);
}
