// New documents from the first page: empty ones of each kind, and files. What a document is stands in its own data, so it is
// written here and sent whole: there is no moment in which the server has half of it.
import { ApiError, type Api } from "../documents/api";
import type { Beginning } from "../documents/beginning";
import type { Kind } from "../documents/kind";
import { parseName, type DocumentName } from "../documents/name";
import { part } from "../ui/missing";
import { randomUuid } from "../ui/random";

export interface Created {
  readonly name: DocumentName;
  readonly kind: Kind;
}

/** Resolves when what draws this kind is on this device; asked only when no server answers. */
export type Drawable = (kind: Kind) => Promise<void>;

/** Resolves when the new document is durable: on the server, or on this device while no server answers. */
export async function createDocument(api: Api, kind: Kind, drawable: Drawable): Promise<Created> {
  const { emptyOf } = await part(() => import("./empty"));
  return begin(api, { kind, title: null, update: emptyOf(kind) }, drawable);
}

/**
 * The name is made here, so that a try whose answer was lost and what is then made on this device are one document, and a
 * server that refuses leaves none behind.
 */
async function begin(api: Api, content: Beginning, drawable: Drawable, name = newName()): Promise<Created> {
  const { kind, update } = content;
  try {
    await api.contribute(name, update);
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.kind !== "unreachable") throw error;
    // Nobody should be led to a document that this device cannot show.
    await drawable(kind);
    const { makeHere } = await part(() => import("../device/make-here"));
    if (!(await makeHere(content, name))) throw error;
  }
  return { name, kind };
}

function newName(): DocumentName {
  const name = parseName(randomUuid());
  if (name === null) throw new Error("a UUID is a name");
  return name;
}

/** Files larger than this are refused before they are read, in bytes: the server takes no much larger change. */
export const LARGEST_IMPORT = 8 * 1024 * 1024;

/** What the picker of files offers. Any other file that is text can be dropped. */
export const IMPORTABLE = ".md,.markdown,.html,.htm,.txt,.text,.excalidraw,text/*";

/** A file that cannot become a document. */
export class ImportError extends Error {
  constructor(readonly reason: "too-large" | "not-text" | "not-a-drawing") {
    super(reason);
  }
}

export interface ImportedFile extends Created {
  /** Pictures in the file that neither the server nor this device could take. */
  readonly lostPictures: number;
}

/** Reads a file, in one of the encodings of people who read `languages`, into a new document, which becomes durable as {@link createDocument} has it. */
export async function importDocument(api: Api, file: File, drawable: Drawable, languages: readonly string[]): Promise<ImportedFile> {
  if (file.size > LARGEST_IMPORT) throw new ImportError("too-large");
  const text = readText(await file.arrayBuffer(), languages);
  if (/\.excalidraw$/i.test(file.name)) {
    const { drawingOf, sendPictures } = await part(() => import("./import-drawing"));
    const drawing = drawingOf(file.name, text);
    if (drawing === null) throw new ImportError("not-a-drawing");
    const made = await begin(api, drawing, drawable);
    return { ...made, lostPictures: await sendPictures(api, made.name, drawing.pictures) };
  }
  const { importText } = await part(() => import("../text/convert"));
  const { browserPictures, openPictures } = await part(() => import("../documents/pictures"));
  // Where the pictures will be is known with the name; they are sent when there is a document to put them beside.
  const name = newName();
  const pictures = openPictures({ api, document: name, store: browserPictures, refused: () => undefined });
  try {
    const { imported, lost } = await importText(file.name, text, pictures.keep);
    const made = await begin(api, imported, drawable, name);
    await pictures.send();
    return { ...made, lostPictures: lost + pictures.refusals.get().size };
  } catch (error) {
    await browserPictures.forget(name).catch(() => undefined);
    throw error;
  }
}

/**
 * The characters of a file, or a refusal: bytes that are no text would be shown as nonsense and stored as such. Text is
 * UTF-8, or says by its first bytes that it is UTF-16; where people read Chinese it may be Big5, in which files were kept
 * for decades and which says nothing about itself.
 */
export function readText(bytes: ArrayBuffer, languages: readonly string[] = []): string {
  const [first, second] = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  const marked = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : null;
  const text = decoded(bytes, marked ?? "utf-8");
  if (text !== null && !text.includes("\0")) return text;
  const big5 = marked === null && languages.some((language) => /^zh\b/i.test(language)) ? decoded(bytes, "big5") : null;
  // Bytes of any kind often pass for Big5; those of a text have no control characters besides the ends of lines.
  if (big5 === null || /[^\P{Cc}\t\n\f\r]/u.test(big5)) throw new ImportError("not-text");
  return big5;
}

function decoded(bytes: ArrayBuffer, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
