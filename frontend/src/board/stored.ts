// A board as it lies in the shared data, which other programs read and write as well:
//   elements: Y.Map  id -> Y.Map of an Excalidraw element's fields, without id, version, versionNonce, updated and status.
//                    Lists and objects are replaced whole. Order is by `index`, then id. A deleted shape stays, with `isDeleted`.
//                    The words of a text, `originalText`, are a Y.Text, so that several people may write them at once, also
//                    without a network. `text` is the same broken into lines, which each view does for itself where the
//                    stored lines are of other words. Words that somebody stored as a plain string stay one, replaced whole.
import { AbstractType, Map as YMap, Text as YText } from "yjs";
import { isShared, sharedFields, WORDS, type BoardElement } from "./element";
import { carried, editsBetween } from "./words";

/** The root of the shapes in the shared data. */
export const ELEMENTS = "elements";

/** A shape's own map, if there is one: another program may have stored anything. */
export function storedShape(elements: YMap<unknown>, id: string): YMap<unknown> | null {
  const map = elements.get(id);
  return map instanceof YMap ? (map as YMap<unknown>) : null;
}

export function storedFields(shape: YMap<unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [field, value] of shape) {
    if (field === WORDS && value instanceof YText) fields[field] = value.toJSON();
    else if (isShared(field) && !(value instanceof AbstractType)) fields[field] = value;
  }
  return fields;
}

/** The words of a text that may be written by several at once; `null` for others, and for what is no text. */
export function sharedWords(shape: YMap<unknown> | null): YText | null {
  const words = shape?.get(WORDS);
  return words instanceof YText ? words : null;
}

/** A shape that is put in, deleted as yet. */
export function unborn(element: BoardElement): YMap<unknown> {
  const words = typeof element[WORDS] === "string" ? { [WORDS]: new YText(element[WORDS]) } : {};
  return new YMap<unknown>(Object.entries({ ...sharedFields(element), ...words, isDeleted: true }));
}

/** Writes the fields that were changed in a shape whose words were `before`. `undefined` takes a field away. */
export function writeFields(shape: YMap<unknown>, fields: ReadonlyMap<string, unknown>, before: unknown): void {
  for (const [field, value] of fields) {
    const words = field === WORDS ? sharedWords(shape) : null;
    if (words !== null && typeof value === "string") writeWords(words, String(before), value);
    else if (value === undefined) shape.delete(field);
    else shape.set(field, value);
  }
}

/** What was changed in the words here, in what they have become meanwhile. */
function writeWords(words: YText, base: string, ours: string): void {
  const theirs = words.toJSON();
  // From the back, so that what is before stays where it is.
  for (const { index, remove, insert } of editsBetween(theirs, carried(base, ours, theirs)).toReversed()) {
    if (remove > 0) words.delete(index, remove);
    else words.insert(index, insert);
  }
}
