// New documents from the first page: empty ones of each kind, and files. What a document is stands in its own data, so
// anything but an empty text is written here and sent whole before it is opened.
import { ApiError, type Api } from "./api";
import type { Kind } from "./kind";
import type { DocumentName } from "./name";

export interface Created {
  readonly name: DocumentName;
  readonly kind: Kind;
}

/** What a document has in it when it begins. */
export interface Beginning {
  readonly kind: Kind;
  readonly title: string | null;
  /** `null` for nothing at all: an empty text. */
  readonly update: Uint8Array<ArrayBuffer> | null;
}

/** Resolves when the new document is durable: on the server, or on this device while no server answers. */
export async function createDocument(api: Api, kind: Kind): Promise<Created> {
  return begin(api, { kind, title: null, update: kind === "text" ? null : (await import("./empty")).emptyOf(kind) });
}

async function begin(api: Api, content: Beginning): Promise<Created> {
  const { kind, update } = content;
  let begun: DocumentName | undefined;
  try {
    begun = (await api.create()).name;
    if (update !== null) await api.contribute(begun, update);
    return { name: begun, kind };
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.kind !== "unreachable") throw error;
    const { makeHere } = await import("./make-here");
    const name = await makeHere(content, begun);
    if (name === null) throw error;
    return { name, kind };
  }
}

/** Files larger than this are refused before they are read, in bytes: the server takes no much larger change. */
export const LARGEST_IMPORT = 8 * 1024 * 1024;

/** What the picker of files offers. Any other file that is text can be dropped. */
export const IMPORTABLE = ".md,.markdown,.html,.htm,.txt,.text,text/*";

/** A file that cannot become a document. */
export class ImportError extends Error {
  constructor(readonly reason: "too-large" | "not-text") {
    super(reason);
  }
}

/** Reads a file into a new document, which becomes durable as {@link createDocument} has it. */
export async function importDocument(api: Api, file: File): Promise<Created> {
  if (file.size > LARGEST_IMPORT) throw new ImportError("too-large");
  const text = readText(await file.arrayBuffer());
  const { importFile } = await import("../text/convert");
  return begin(api, importFile(file.name, text));
}

/** The characters of a file, or a refusal: bytes that are no text would be shown as nonsense and stored as such. */
export function readText(bytes: ArrayBuffer): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ImportError("not-text");
  }
  if (text.includes("\0")) throw new ImportError("not-text");
  return text;
}
