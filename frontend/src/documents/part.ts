// What is known of a document before it is here, and whether a part of it can be shown.
import type { Doc } from "yjs";
import type { Expected } from "../sync/room";
import type { Api } from "./api";
import { kindSaid, readKind, type Kind } from "./kind";
import type { DocumentName } from "./name";
import { CONTENT } from "./roots";

/** Where the content of each kind stands: each kind's own, named here for whoever has to see that something is there. */
const BEGUN: Readonly<Record<Kind, (doc: Doc) => boolean>> = {
  text: (doc) => doc.getText("body").length > 0,
  plain: (doc) => doc.getText(CONTENT).length > 0,
  board: (doc) => doc.getMap("elements").size > 0,
};

/** `null` where the server does not know it. */
export async function expected(api: Pick<Api, "read">, name: DocumentName): Promise<Expected | null> {
  const { bytes, kind } = await api.read(name);
  return { bytes, shows: (doc) => isBegun(doc, kind) };
}

/** Whether something of a document is there, and it is certain of what kind it is: one that has not said so yet is no text. */
export function isBegun(doc: Doc, said: string | null): boolean {
  const kind = readKind(doc);
  return kind !== null && (kindSaid(doc) || kind === said) && BEGUN[kind](doc);
}
