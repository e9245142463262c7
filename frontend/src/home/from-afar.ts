// What the first page does to documents that nobody opened for it: another title, a second copy. Fetched when it is asked for.
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from "yjs";
import { FILES } from "../documents/roots";
import { ApiError, type Api } from "../documents/api";
import { readKind } from "../documents/kind";
import { parseName, type DocumentName } from "../documents/name";
import { addressesOf } from "../documents/pictures";
import { writeTitle } from "../documents/title";
import { imagesIn } from "../text/binding/words";
import { randomUuid } from "../ui/random";

type Afar = Pick<Api, "state" | "contribute" | "upload">;

/** As a change of what is there now: one made from nothing might lose against the title there is. */
export async function rename(api: Afar, name: DocumentName, title: string): Promise<void> {
  const doc = await fetched(api, name);
  const before = encodeStateVector(doc);
  writeTitle(doc, title);
  await api.contribute(name, new Uint8Array(encodeStateAsUpdate(doc, before)));
}

export interface Copied {
  readonly name: DocumentName;
  /** Pictures that still lie beside the original, because they could not be stored anew. */
  readonly shared: number;
}

/** A document of its own with all that is in this one, pictures too. What was said beside it stays there. */
export async function duplicate(api: Afar, name: DocumentName, title: string): Promise<Copied> {
  const copy = parseName(randomUuid());
  if (copy === null) throw new Error("a UUID is a name");
  const doc = await fetched(api, name);
  writeTitle(doc, title);
  await api.contribute(copy, new Uint8Array(encodeStateAsUpdate(doc)));

  // A picture lies beside a document, so there must be one first. Until the addresses follow, the copy shows the original's.
  const before = encodeStateVector(doc);
  const moved = new Map<string, Promise<string | null>>();
  const move = (address: string): Promise<string | null> => {
    const known = moved.get(address) ?? moveOne(api, address, copy);
    moved.set(address, known);
    return known;
  };
  for (const { address, put } of picturesIn(doc, addressesOf(name))) {
    const there = await move(address);
    if (there !== null) put(there);
  }
  const outcomes = await Promise.all(moved.values());
  const shared = outcomes.filter((there) => there === null).length;
  if (shared === outcomes.length) return { name: copy, shared };
  try {
    await api.contribute(copy, new Uint8Array(encodeStateAsUpdate(doc, before)));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { name: copy, shared: outcomes.length };
  }
  return { name: copy, shared };
}

async function fetched(api: Afar, name: DocumentName): Promise<Doc> {
  const doc = new Doc();
  applyUpdate(doc, await api.state(name));
  return doc;
}

interface Placed {
  readonly address: string;
  readonly put: (address: string) => void;
}

function picturesIn(doc: Doc, own: string): readonly Placed[] {
  const placed: Placed[] = [];
  const note = (address: unknown, put: Placed["put"]): void => {
    if (typeof address === "string" && address.startsWith(own)) placed.push({ address, put });
  };
  if (readKind(doc) === "text") for (const map of imagesIn(doc)) note(map.get("src"), (address) => map.set("src", address));
  else if (readKind(doc) === "board") {
    const files = doc.getMap<unknown>(FILES);
    for (const [id, address] of files) note(address, (there) => files.set(id, there));
  }
  return placed;
}

async function moveOne(api: Afar, address: string, to: DocumentName): Promise<string | null> {
  try {
    const response = await fetch(address);
    return response.ok ? (await api.upload(to, await response.blob())).url : null;
  } catch (error) {
    if (error instanceof ApiError || error instanceof TypeError) return null;
    throw error;
  }
}
