// The words of a text or plain text straight from its shared data, one line per block, without an editor.
import type { Doc } from "yjs";
import { readKind } from "../documents/kind";
import { CONTENT } from "../documents/roots";
import { wordsOf } from "./binding/words";

export function plainText(doc: Doc): string {
  if (readKind(doc) === "plain") return doc.getText(CONTENT).toJSON();
  return wordsOf(doc).join("\n");
}
