// New documents from the first page: empty ones of each kind, and files. What a document is stands in its own data, so
// anything but an empty text is written here and sent whole before it is opened.
import { ApiError, type Api } from "./api";
import type { Kind } from "./kind";
import type { DocumentName } from "./name";

export interface Created {
  readonly name: DocumentName;
  readonly kind: Kind;
}

/** Resolves when the new document is durable: on the server, or on this device while no server answers. */
export async function createDocument(api: Api, kind: Kind): Promise<Created> {
  let begun: DocumentName | undefined;
  try {
    begun = (await api.create()).name;
    if (kind !== "text") {
      const { emptyOf } = await import("./empty");
      await api.contribute(begun, emptyOf(kind));
    }
    return { name: begun, kind };
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.kind !== "unreachable") throw error;
    const { makeHere } = await import("./make-here");
    const name = await makeHere(kind, begun);
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

export async function importDocument(api: Api, file: File): Promise<Created> {
  if (file.size > LARGEST_IMPORT) throw new ImportError("too-large");
  const text = readText(await file.arrayBuffer());
  const { importFile } = await import("../text/convert");
  const { kind, update } = importFile(file.name, text);
  const { name } = await api.create();
  await api.contribute(name, update);
  return { name, kind };
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
