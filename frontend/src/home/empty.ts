// A document that holds nothing yet but says what it is. Apart from the conversions, which weigh much more.
import { Doc, encodeStateAsUpdate } from "yjs";
import { sayKind, type Kind } from "../documents/kind";

export function emptyOf(kind: Kind): Uint8Array<ArrayBuffer> {
  const doc = new Doc();
  sayKind(doc, kind);
  return new Uint8Array(encodeStateAsUpdate(doc));
}
