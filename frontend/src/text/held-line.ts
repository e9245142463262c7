// One line of the shared data as it stood at one moment, to be written in from there while others change it: each letter
// is known by the id it keeps for ever, so that a place in the line as it was is found in the line as it has become.
import {
  ContentString,
  XmlElement,
  XmlText,
  createAbsolutePositionFromRelativePosition,
  createID,
  createRelativePositionFromJSON,
  getItem,
  getState,
  type AbstractType,
  type Doc,
  type ID,
  type Item,
  type RelativePosition,
} from "yjs";

export interface HeldLine {
  readonly element: XmlElement;
  /** As many as the line is long for its author: one for each UTF-16 unit and each thing between them. */
  readonly length: number;
  /** Where the place before letter `offset` is now; behind the letter before it, as carets are. */
  readonly place: (offset: number) => RelativePosition;
  /** Puts `text` in the place of the letters from `from` to `to`. False if the place is gone; nothing is changed then. */
  readonly replace: (from: number, to: number, text: string) => boolean;
}

/** `null` where the line holds what its author does not see as one letter each. */
export function holdLine(element: XmlElement): HeldLine | null {
  const { doc } = element;
  const letters = lettersOf(element);
  if (doc === null || letters === null) return null;
  // A letter that somebody deleted is no place to write beside: what is written there may stand on either side of it.
  const isLeft = (letter: ID): boolean => !getItem(doc.store, letter).deleted;
  const around = (from: number, to: number): readonly [ID | undefined, ID | undefined] => [
    letters.slice(0, from).findLast(isLeft),
    letters.slice(to).find(isLeft),
  ];
  return {
    element,
    get length() {
      return letters.length;
    },
    place: (offset) => {
      const [before, behind] = around(offset, offset);
      if (before !== undefined) return beside(before, -1);
      if (behind !== undefined) return beside(behind, 0);
      return createRelativePositionFromJSON({ type: element._item?.id ?? null });
    },
    replace: (from, to, text) => {
      const written = insert(doc, element, around(from, to), text);
      if (written === null) return false;
      remove(doc, letters.slice(from, to));
      letters.splice(from, to - from, ...written);
      return true;
    },
  };
}

function lettersOf(element: XmlElement): ID[] | null {
  const letters: ID[] = [];
  const add = ({ id, length }: Item): void => {
    for (let at = 0; at < length; at++) letters.push(createID(id.client, id.clock + at));
  };
  for (const child of element.toArray()) {
    if (child instanceof XmlElement && child._item !== null && child.length === 0) add(child._item);
    else if (!(child instanceof XmlText)) return null;
    else {
      for (let item = child._start; item !== null; item = item.right) {
        if (item.deleted || !item.countable) continue;
        if (!(item.content instanceof ContentString)) return null;
        add(item);
      }
    }
  }
  return letters;
}

/** The ids of what was written; `null` if there is nowhere to write it. */
function insert(doc: Doc, element: XmlElement, [before, behind]: readonly [ID | undefined, ID | undefined], text: string): readonly ID[] | null {
  if (text === "") return [];
  const ids = (clock: number): readonly ID[] => Array.from({ length: text.length }, (_, at) => createID(doc.clientID, clock + at));
  const clock = getState(doc.store, doc.clientID);
  const places = [before && resolve(doc, beside(before, -1)), behind && resolve(doc, beside(behind, 0))];
  for (const place of places) {
    if (place === undefined || place === null || !(place.type instanceof XmlText)) continue;
    place.type.insert(place.index, text);
    return ids(clock);
  }
  if (places.includes(null)) return null;
  // No words on either side: a text of their own, whose own id comes first.
  const place = places.find((found) => found?.type === element);
  element.insert(place?.index ?? 0, [new XmlText(text)]);
  return ids(clock + 1);
}

/** Those of the letters that are still there, in as few pieces as they lie in: half a surrogate pair cannot be removed. */
function remove(doc: Doc, letters: readonly ID[]): void {
  const pieces: { readonly type: XmlText | XmlElement; readonly index: number; length: number }[] = [];
  for (const letter of letters) {
    if (getItem(doc.store, letter).deleted) continue;
    const place = resolve(doc, beside(letter, 0));
    if (place === null) continue;
    const last = pieces.at(-1);
    if (last?.type === place.type && last.index + last.length === place.index) last.length += 1;
    else pieces.push({ ...place, length: 1 });
  }
  for (const { type, index, length } of pieces.reverse()) type.delete(index, length);
}

const beside = (letter: ID, assoc: -1 | 0): RelativePosition => createRelativePositionFromJSON({ item: letter, assoc });

function resolve(doc: Doc, position: RelativePosition): { readonly type: XmlText | XmlElement; readonly index: number } | null {
  const place = createAbsolutePositionFromRelativePosition(position, doc);
  const type: AbstractType<unknown> | undefined = place?.type;
  return place !== null && (type instanceof XmlText || type instanceof XmlElement) ? { type, index: place.index } : null;
}
