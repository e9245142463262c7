// What somebody made and changed on a board here that the document does not have yet.
import { isClean, type Base } from "./agreed";
import { isShown, type BoardElement, type Fields } from "./element";

export interface Own {
  /** Shapes made here. One that is deleted before others have heard of it stays unheard of. */
  readonly born: readonly BoardElement[];
  readonly changed: readonly { readonly element: BoardElement; readonly base: Base }[];
}

/** All of it. */
export function ownIn(scene: readonly BoardElement[], bases: ReadonlyMap<string, Base>, isStored: (id: string) => boolean): Own {
  const born: BoardElement[] = [];
  const changed: { readonly element: BoardElement; readonly base: Base }[] = [];
  for (const element of scene) {
    const base = bases.get(element.id);
    if (base === undefined) {
      if (!element.isDeleted && isShown(element.type) && !isStored(element.id)) born.push(element);
    } else if (!base.phantom && !isClean(element, base)) changed.push({ element, base });
  }
  return { born, changed };
}

/** What of it can be written, if some shapes are held `back`: neither those nor, if others have not heard of them, what is bound to them. */
export function readyOf({ born, changed }: Own, back: ReadonlySet<string>, isStored: (id: string) => boolean): Own {
  const unheard = [...back].filter((id) => !isStored(id));
  const isReady = (element: BoardElement): boolean => !back.has(element.id) && !unheard.some((id) => isBoundTo(element, id));
  return { born: born.filter(isReady), changed: changed.filter(({ element }) => isReady(element)) };
}

/** A text without a letter and an image without a picture are on their way; to others they would be litter. */
export function isUnready(element: BoardElement): boolean {
  return (element.type === "text" && element["text"] === "") || (element.type === "image" && typeof element["fileId"] !== "string");
}

function isBoundTo(element: BoardElement, id: string): boolean {
  const bound = element["boundElements"];
  return Array.isArray(bound) && bound.some((entry: unknown) => typeof entry === "object" && entry !== null && (entry as Fields)["id"] === id);
}
