// Where a caret is, told so that it is the same place for everybody whatever has been written meanwhile: by the letter or
// the boundary that it stands behind.
import { type RelativePosition, createAbsolutePositionFromRelativePosition, createRelativePositionFromJSON, createRelativePositionFromTypeIndex } from "yjs";
import type { TextBinding } from "./binding";

/** As it is told to others. */
export interface SharedSelection {
  readonly anchor: unknown;
  readonly head: unknown;
}

export function shared(binding: TextBinding, { anchor, head }: { readonly anchor: number; readonly head: number }): SharedSelection {
  // Each is a walk through the text.
  const there = relative(binding, head);
  return { anchor: anchor === head ? there : relative(binding, anchor), head: there };
}

/** `null` where there is no such place any more, or what was told is no place. */
export function placed(binding: TextBinding, told: unknown): { readonly anchor: number; readonly head: number } | null {
  const { anchor, head } = (typeof told === "object" && told !== null ? told : {}) as Partial<SharedSelection>;
  const [from, to] = [absolute(binding, anchor), absolute(binding, head)];
  return from === null || to === null ? null : { anchor: from, head: to };
}

function relative(binding: TextBinding, position: number): RelativePosition | null {
  const place = binding.toShared(position);
  // An empty cell has no root yet; whoever writes in it makes one.
  return place === null ? null : createRelativePositionFromTypeIndex(place.root, place.index, -1);
}

function absolute(binding: TextBinding, told: unknown): number | null {
  if (typeof told !== "object" || told === null) return null;
  const found = createAbsolutePositionFromRelativePosition(createRelativePositionFromJSON(told), binding.doc);
  return found === null ? null : binding.fromShared(found.type, found.index);
}
