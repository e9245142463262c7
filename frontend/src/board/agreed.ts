// What the view and the document last agreed on for a shape, its *base*, and what each of them has made of it since:
//   - a field in which the view differs from the base was changed here, and is written to the document;
//   - a field in which the document differs from the base was changed elsewhere, and is shown, unless it was changed here too.
import { PLACE } from "./drag";
import { equal, isShared, sharedFields, WORDS, type BoardElement, type Fields } from "./element";
import { carried } from "./words";

export interface Base {
  /** Field by field as the view showed it. */
  fields: Record<string, unknown>;
  /** The document's `index`. The one in `fields` is the view's, who mends equal ones for itself. */
  order: unknown;
  /** The copy the view had then; another pair means that the view changed the shape since. */
  version: number;
  versionNonce: number;
  /** Only in somebody's hand so far, not in the document. */
  phantom: boolean;
}

/** Both have it as the view does, but for its place among the others. */
export function agreedOn(element: BoardElement, order: unknown): Base {
  const { version, versionNonce } = element;
  return { fields: sharedFields(element), order, version, versionNonce, phantom: false };
}

/** Notes that they agree on that. */
export function agree(bases: Map<string, Base>, element: BoardElement, order: unknown): Base {
  const base = agreedOn(element, order);
  bases.set(element.id, base);
  return base;
}

export function isClean({ version, versionNonce }: BoardElement, base: Base): boolean {
  return version === base.version && versionNonce === base.versionNonce;
}

/**
 * What the change of a shape counts from: for what others changed after the pointer went down, what it was then, which is
 * `began` if that is so.
 */
export function startOf(element: BoardElement, base: Base, began: Fields | undefined): Fields {
  if (began === undefined) return base.fields;
  const start = { ...base.fields };
  // What the view has taken from them was not put back by it.
  for (const field of PLACE) if (!equal(element[field], base.fields[field])) put(start, field, began[field]);
  return start;
}

/** The fields that were changed here since `start`. */
export function changedSince(start: Fields, element: BoardElement): Map<string, unknown> {
  const changed = new Map<string, unknown>();
  for (const field of new Set([...Object.keys(start), ...Object.keys(element)])) {
    if (isShared(field) && !equal(element[field], start[field])) changed.set(field, element[field]);
  }
  return changed;
}

/** While a text is being written, these are the writer's: the caret stands in them. */
const WRITTEN: ReadonlySet<string> = new Set(["text", WORDS, "x", "y", "width", "height"]);

/** What somebody here is doing with a shape when news of it comes. */
export interface Doing {
  /** The view has it as both agreed. */
  readonly clean: boolean;
  /** The pointer is down. */
  readonly held: boolean;
  /** The caret is in it. */
  readonly writing: boolean;
  /** What the document says of its words, if several may write them at once. */
  readonly words: string | null;
}

export interface News {
  /** What the view is to show. */
  readonly shown: Fields;
  /** What both agree on now. */
  readonly agreed: Fields;
  /** The document's `index` by now. */
  readonly order: unknown;
  /** Something of it is to be looked at again when the caret has left, or the pointer is up. */
  readonly waits: boolean;
  /** The words in which the caret is: as others have them, and with what was written here. */
  readonly retyped: { readonly theirs: string; readonly words: string } | null;
}

/** What of a shape's fields in the document was changed elsewhere, and what becomes of it here. */
export function newsOf(element: BoardElement, base: Base, incoming: Fields, { clean, held, writing, words }: Doing): News {
  const shown: Record<string, unknown> = {};
  const agreed: Record<string, unknown> = {};
  let { order } = base;
  let waits = false;
  let retyped: News["retyped"] = null;
  for (const field of new Set([...Object.keys(base.fields), ...Object.keys(incoming)])) {
    const isWords = field === WORDS && words !== null;
    // What others have in hand is not theirs yet; some of it came from here, and would come back a second time.
    const theirs = isWords && writing ? words : incoming[field];
    if (equal(field === "index" ? base.order : base.fields[field], theirs)) continue;
    if (writing && WRITTEN.has(field)) {
      waits = true;
      if (isWords) retyped = { theirs: String(theirs), words: carried(String(base.fields[field]), String(element[field]), String(theirs)) };
      continue;
    }
    if (held && !clean && PLACE.has(field)) {
      waits = true;
      continue;
    }
    const free = clean || equal(element[field], base.fields[field]);
    // Written yet to be, as a change of what both knew.
    if (!free && isWords) {
      waits = true;
      continue;
    }
    if (field === "index") {
      order = theirs;
      if (!free) continue;
    }
    if (free) shown[field] = theirs;
    agreed[field] = theirs;
  }
  return { shown, agreed, order, waits, retyped };
}

/** Sets a field, or takes it away. */
export function put(fields: Record<string, unknown>, field: string, value: unknown): void {
  if (value === undefined) delete fields[field];
  else fields[field] = value;
}
