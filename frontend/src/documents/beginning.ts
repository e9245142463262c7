import type { Kind } from "./kind";

/** What a document has in it when it begins; never nothing, or it would be none to the server. */
export interface Beginning {
  readonly kind: Kind;
  readonly title: string | null;
  readonly update: Uint8Array<ArrayBuffer>;
}
