// The board's two truths kept in step: the shared document (a map of shapes, each a map of fields) and what this
// browser's view shows. Knows neither React nor Excalidraw nor a clock; the view comes in through `BoardView`.
//
// One rule carries the rest. For every shape the binding remembers what both sides last agreed on, its *base*:
//   - a field in which the view differs from the base was changed here, and is written to the document;
//   - a field in which the document differs from the base was changed elsewhere, and is shown, unless it was changed here too;
// so two people who change different fields of one shape both keep their change, and nobody needs to recognise an echo.
// A view that drags counts from where the drag began, and puts every field of a place back to that with each move. So while
// the pointer is down the base of what it moves stays what it was when it went down; what others did meanwhile is shown when
// it comes up. A place that both changed moves by the sum of both (see drag.ts).
// What a read mends (see element.ts, and the links below) becomes part of the base and is therefore never written back.
//
// Layout of the document, which other programs read as well:
//   elements: Y.Map  id -> Y.Map of an Excalidraw element's fields, without id, version, versionNonce, updated and status.
//                    Lists and objects are replaced whole. Order is by `index`, then id. A deleted shape stays, with `isDeleted`.
//                    The words of a text, `originalText`, are a Y.Text, so that several people may write them at once, also
//                    without a network. `text` is the same broken into lines, which each view does for itself where the
//                    stored lines are of other words. Words that somebody stored as a plain string stay one, replaced whole.
import { AbstractType, Map as YMap, Text as YText, UndoManager, type Doc, type Transaction, type YEvent } from "yjs";
import { equal, isContainer, isShared, isShown, mended, sharedFields, type BoardElement, type Fields } from "./element";
import { together } from "./drag";
import { carried, editsBetween, sameWords } from "./words";

/** The root of the shapes in the shared data. */
export const ELEMENTS = "elements";

/** Changes within this time become one step of undo, in ms. A pointer that comes up ends the step at once. */
const UNDO_PAUSE = 400;

/** While a text is being written, these are the writer's: the caret stands in them. */
const WRITTEN: ReadonlySet<string> = new Set(["text", "originalText", "x", "y", "width", "height"]);

/** What a pointer that drags, resizes or turns a shape sets with each move, whether it changes it or not. */
const PLACE: ReadonlySet<string> = new Set(["x", "y", "width", "height", "angle", "points", "fontSize"]);

/** The words of a text, as they were written. */
const WORDS = "originalText";

/** What the binding needs of a view. */
export interface BoardView {
  /** All shapes in drawing order, deleted ones too. The view may change them in place, and then raises their version. */
  readonly elements: () => readonly BoardElement[];
  /** Shows these from now on, without a step in a history of its own. It may mend an `index`, and nothing else. */
  readonly show: (elements: readonly BoardElement[]) => void;
  /** The lines and the size of a text with these words, within its container if it has one. */
  readonly fit?: (text: Fields, container: Fields | null) => Fields;
  /**
   * Puts words in the place of those somebody here is writing, with the caret where it was among them. `false` if they
   * cannot be touched now; then they are shown when the caret has left.
   */
  readonly retype?: (id: string, words: string) => boolean;
}

/** Shapes somebody here is in the middle of, besides what the pointer holds. */
export interface Unfinished {
  /** A text with the caret in it. Written on a pause. */
  readonly text?: string;
  /** A line that is placed click by click. Written when it is done. */
  readonly line?: string;
}

export interface BoardBinding {
  /** To be called after every change of the view. Writes what was changed here, unless it is held back. */
  readonly changed: () => void;
  /** The pointer went down: nothing is written until `release`. A stroke is one write, not one per move. */
  readonly hold: () => void;
  /** The pointer is up and the view has finished with it. Also ends a step of undo. */
  readonly release: () => void;
  readonly unfinished: (shapes: Unfinished) => void;
  /** The writer of a text rests: what is there so far is written. */
  readonly pause: () => void;
  /** Writes everything, also what is held back: the page may be about to go. */
  readonly flush: () => void;
  /** Shapes, and fields of shapes, that were changed here and are not written yet: what others may be shown meanwhile. */
  readonly inHand: () => ReadonlyMap<string, Fields>;
  /** What others have in hand. Shown, never written. */
  readonly showInHand: (shapes: ReadonlyMap<string, Fields>) => void;
  /** Whether anything may be written. What is in hand when it ends is written first; what the view does after that is not. */
  readonly allow: (writing: boolean) => void;
  readonly history: BoardHistory;
  readonly dispose: () => void;
}

/** One's own steps, never a colleague's. */
export interface BoardHistory {
  readonly undo: () => void;
  readonly redo: () => void;
  readonly canUndo: () => boolean;
  readonly canRedo: () => boolean;
  /** Calls back when one of the two answers may have changed. Returns the end of it. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** What view and document last agreed on for one shape. */
interface Base {
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

/** What a stored shape says about others. Followed in both directions, because one end may arrive before the other. */
interface Links {
  readonly alive: boolean;
  readonly type: unknown;
  readonly container: string | null;
  readonly frame: string | null;
  readonly start: string | null;
  readonly end: string | null;
}

const NO_LINKS: Links = { alive: false, type: null, container: null, frame: null, start: null, end: null };

export function bindBoard(ports: {
  readonly doc: Doc;
  readonly view: BoardView;
  /** For tests, which repeat themselves. */
  readonly nonce?: () => number;
}): BoardBinding {
  const { doc, view } = ports;
  const nonce = ports.nonce ?? (() => Math.floor(Math.random() * 2 ** 31));
  const elements = doc.getMap<unknown>(ELEMENTS);
  const bases = new Map<string, Base>();
  const links = new Map<string, Links>();
  /** From a shape to those that point to it. */
  const pointing = new Map<string, Set<string>>();
  let others: ReadonlyMap<string, Fields> = new Map();
  let held = false;
  let unfinished: Unfinished = {};
  /** Shapes whose changes from elsewhere wait until the caret has left them, or the pointer that drags them. */
  const deferred = new Set<string>();
  /** What shapes were when the pointer went down, if others changed them since then: a drag of theirs counts from there. */
  const began = new Map<string, Record<string, unknown>>();
  /** What others wrote since then, by shape: what they merely hold may come to nothing. */
  const meanwhile = new Map<string, Set<string>>();
  let showing = false;
  let writable = true;
  const onAllowed = new Set<() => void>();

  /** Marks transactions as ours. The second kind is ours too, but no step of undo. */
  const STEP = { by: "board" };
  const SETTING = { by: "board, beside undo" };
  const history = new UndoManager(elements, { trackedOrigins: new Set([STEP]), captureTimeout: UNDO_PAUSE });

  // ---- from the document to the view --------------------------------------------------------------------

  const onEvents = (events: readonly YEvent<AbstractType<unknown>>[], transaction: Transaction): void => {
    // Shapes that are not alive yet; the transaction behind it brings them, and names them again.
    if (transaction.origin === SETTING) return;
    const touched = new Set<string>();
    for (const event of events) {
      const [id] = event.path;
      if (typeof id === "string") {
        touched.add(id);
        if (held && transaction.origin !== STEP) for (const field of event.keys.keys()) meanwhile.set(id, (meanwhile.get(id) ?? new Set()).add(field));
      } else if (event.target === elements) for (const key of event.keys.keys()) touched.add(key);
    }
    take(touched);
  };

  /** Shows what the document now says of these shapes, and of those they are tied to. */
  const take = (touched: Iterable<string>): void => {
    const ids = new Set<string>();
    for (const id of touched) {
      ids.add(id);
      for (const tied of relink(id)) ids.add(tied);
    }
    const incoming = new Map<string, Record<string, unknown> | null>();
    for (const id of ids) incoming.set(id, read(id));

    retyped = null;
    const next: BoardElement[] = [];
    let [differs, unordered] = [false, false];
    for (const element of view.elements()) {
      const fields = incoming.get(element.id);
      if (fields === undefined) {
        next.push(element);
        continue;
      }
      incoming.delete(element.id);
      const order = bases.get(element.id)?.order;
      const merged = merge(element, fields);
      if (merged !== null) next.push(merged);
      if (merged !== element) differs = true;
      // The view may have mended its `index` to the very one that the document now says; the others' places differ all the same.
      if (merged?.index !== element.index || bases.get(element.id)?.order !== order) unordered = true;
    }
    for (const [id, fields] of incoming) {
      // What is deleted already was never here; there is nothing to take away.
      if (fields === null || fields["isDeleted"] === true) continue;
      next.push(added(id, fields));
      [differs, unordered] = [true, true];
    }
    if (unordered) next.sort(byOrder);
    if (differs || unordered) show(next);
    retype();
  };

  /** What others wrote into the text in which the caret is, until it is put there. */
  let retyped: { readonly id: string; readonly theirs: string; readonly words: string } | null = null;
  const retype = (): void => {
    const base = retyped && bases.get(retyped.id);
    if (retyped === null || !base) return;
    const { id, theirs, words } = retyped;
    const before = base.fields[WORDS];
    retyped = null;
    // Before the view reports the change: what is ours of it is the rest.
    base.fields[WORDS] = theirs;
    if (view.retype?.(id, words) !== true) base.fields[WORDS] = before;
  };

  /** The view's copy with what changed elsewhere; the same object if nothing did; `null` if it goes without a trace. */
  const merge = (element: BoardElement, fields: Record<string, unknown> | null): BoardElement | null => {
    const { id } = element;
    // Made here, and held back so far.
    if (fields === null && !bases.has(id)) return element;
    const base = bases.get(id) ?? adopt(element);
    if (fields === null && base.phantom) {
      bases.delete(id);
      return null;
    }
    const incoming = fields ?? { ...base.fields, index: base.order, isDeleted: true };
    // What is in another's hand is not ours to change: whatever the view did to it does not count.
    if (base.phantom && !isClean(element, base)) base.fields = sharedFields(element);
    const clean = base.phantom || isClean(element, base);
    // It may be dragged yet, and from where it was when the pointer went down.
    if (held && clean && !began.has(id)) began.set(id, { ...base.fields });
    const change: Record<string, unknown> = {};
    for (const field of new Set([...Object.keys(base.fields), ...Object.keys(incoming)])) {
      const writing = unfinished.text === id && WRITTEN.has(field);
      // What others have in hand is not theirs yet; some of it came from here, and would come back a second time.
      const theirs = writing && field === WORDS ? (wordsOf(id)?.toJSON() ?? incoming[field]) : incoming[field];
      if (equal(field === "index" ? base.order : base.fields[field], theirs)) continue;
      if (writing) {
        deferred.add(id);
        if (field === WORDS && wordsOf(id) !== null) {
          const words = carried(String(base.fields[WORDS]), String(element[WORDS]), String(theirs));
          retyped = { id, theirs: String(theirs), words };
        }
        continue;
      }
      if (held && !clean && PLACE.has(field)) {
        deferred.add(id);
        continue;
      }
      const ours = clean || equal(element[field], base.fields[field]);
      // Written yet to be, as a change of what both knew.
      if (!ours && field === WORDS && wordsOf(id) !== null) {
        deferred.add(id);
        continue;
      }
      if (field === "index") {
        base.order = theirs;
        if (!ours) continue;
      }
      if (ours) change[field] = theirs;
      set(base.fields, field, theirs);
    }
    if (fields !== null) base.phantom = !elements.has(id);
    if (Object.keys(change).length === 0) return element;
    const merged: Record<string, unknown> = { ...element };
    for (const [field, value] of Object.entries(change)) set(merged, field, value);
    const version = { version: element.version + 1, versionNonce: nonce() };
    if (clean) Object.assign(base, version);
    return { ...(merged as BoardElement), ...version };
  };

  /** The view brought a shape that the document knows from elsewhere: the document is right about all of it. */
  const adopt = (element: BoardElement): Base => agree(element, element.index);

  const added = (id: string, fields: Record<string, unknown>): BoardElement => {
    const version = { version: 1, versionNonce: nonce() };
    bases.set(id, { fields, order: fields["index"], phantom: !elements.has(id), ...version });
    const local = fields["type"] === "image" ? { status: "saved" } : {};
    return { ...fields, ...local, id, updated: Date.now(), ...version } as unknown as BoardElement;
  };

  /** Hands the view its shapes, and accepts what it does to their `index`. */
  const show = (next: readonly BoardElement[]): void => {
    const dirty = new Set<string>();
    const moved = new Set<string>();
    for (const element of next) {
      const base = bases.get(element.id);
      if (base === undefined || isClean(element, base)) continue;
      dirty.add(element.id);
      if (element.index !== base.fields["index"]) moved.add(element.id);
    }
    showing = true;
    try {
      view.show(next);
    } finally {
      showing = false;
    }
    for (const element of view.elements()) {
      const base = bases.get(element.id);
      if (base === undefined) continue;
      if (!moved.has(element.id)) base.fields["index"] = element.index;
      if (!dirty.has(element.id)) [base.version, base.versionNonce] = [element.version, element.versionNonce];
    }
  };

  /** A shape that was moved up or down here stands where it was put; every other where the document says. */
  const orderOf = (element: BoardElement): string => {
    const base = bases.get(element.id);
    return keyOf(base === undefined || element.index !== base.fields["index"] ? element.index : base.order);
  };

  const byOrder = (one: BoardElement, other: BoardElement): number => {
    const [a, b] = [orderOf(one), orderOf(other)];
    return a < b ? -1 : a > b ? 1 : one.id < other.id ? -1 : 1;
  };

  // ---- reading a shape, with its ties ---------------------------------------------------------------------

  /** What the document says of a shape, with what somebody has in hand of it on top. */
  const stored = (id: string, inHand: Fields | null = others.get(id) ?? null): Fields | null => {
    const map = elements.get(id);
    if (!(map instanceof YMap)) return inHand === null ? null : { ...inHand, isDeleted: false, locked: true };
    const fields: Record<string, unknown> = {};
    for (const [field, value] of map as YMap<unknown>) {
      if (field === WORDS && value instanceof YText) fields[field] = value.toJSON();
      else if (isShared(field) && !(value instanceof AbstractType)) fields[field] = value;
    }
    return inHand === null ? fields : { ...fields, ...inHand, isDeleted: fields["isDeleted"] };
  };

  /** Notes anew to whom a shape is tied. Answers which others look different by that. */
  const relink = (id: string): ReadonlySet<string> => {
    const before = links.get(id) ?? NO_LINKS;
    const now = linksOf(stored(id));
    links.set(id, now);
    const affected = new Set<string>();
    const appeared = before.alive !== now.alive || before.type !== now.type;
    const textsOf = (container: string): readonly string[] => [...(pointing.get(container) ?? [])].filter((source) => links.get(source)?.container === container);
    for (const end of ["container", "frame", "start", "end"] as const) {
      if (before[end] !== null) pointing.get(before[end])?.delete(id);
    }
    for (const end of ["container", "frame", "start", "end"] as const) {
      const target = now[end];
      if (target !== null) {
        const sources = pointing.get(target);
        if (sources) sources.add(id);
        else pointing.set(target, new Set([id]));
      }
      if (!appeared && before[end] === target) continue;
      for (const other of [before[end], target]) {
        if (other === null) continue;
        affected.add(other);
        if (end === "container") for (const rival of pointing.get(other) ?? []) affected.add(rival);
      }
    }
    const sources = pointing.get(id) ?? new Set<string>();
    // Two texts in one container: which of them stays is the container's to say.
    if (appeared || textsOf(id).length > 1) {
      for (const source of sources) affected.add(source);
    }
    // A text is in the frame its container is in: it looks different when that changes, or when the frame comes or goes.
    if (before.frame !== now.frame) for (const text of textsOf(id)) affected.add(text);
    if (appeared) for (const source of sources) for (const text of textsOf(source)) affected.add(text);
    affected.delete(id);
    return affected;
  };

  /** A shape as it is to be shown; `null` if there is none, or none that can be shown. */
  const read = (id: string, raw: Fields | null = stored(id)): Record<string, unknown> | null => {
    const fields = raw && mended(raw);
    if (fields === null) return null;
    const { container, frame, start, end } = links.get(id) ?? NO_LINKS;
    if (frame !== null && !isFrame(frame)) fields["frameId"] = null;
    if (container !== null) {
      if (textIn(container) === id) fields["frameId"] = frameOf(container);
      else fields["containerId"] = null;
    }
    if (start !== null && !isAlive(start)) fields["startBinding"] = null;
    if (end !== null && !isAlive(end)) fields["endBinding"] = null;
    fields["boundElements"] = boundTo(id, fields["type"], fields["boundElements"]);
    if (wordsOf(id) !== null && !sameWords(String(fields["text"]), String(fields[WORDS]))) {
      const around = fields["containerId"] === null || container === null ? null : stored(container);
      Object.assign(fields, view.fit?.(fields, around && mended(around)) ?? { text: fields[WORDS] });
    }
    return fields;
  };

  /** The words of a text that may be written by several at once; `null` for others, and for what is no text. */
  const wordsOf = (id: string): YText | null => {
    const map = elements.get(id);
    const words: unknown = map instanceof YMap ? map.get(WORDS) : null;
    return words instanceof YText ? words : null;
  };

  const isAlive = (id: string): boolean => links.get(id)?.alive === true;
  const isFrame = (id: string): boolean => isAlive(id) && links.get(id)?.type === "frame";

  /**
   * A text goes where its container goes. What says otherwise, such as a text moved into a frame while its container was
   * moved out, would be torn apart by the next move of the frame.
   */
  const frameOf = (container: string): string | null => {
    const frame = links.get(container)?.frame ?? null;
    return frame !== null && isFrame(frame) ? frame : null;
  };

  /**
   * The list of what is bound to a shape, made from the other ends. The stored list gives the order only: it is replaced
   * whole, so of two arrows bound at the same time it remembers one.
   */
  const boundTo = (id: string, type: unknown, listed: unknown): unknown => {
    const text = isContainer(type) ? textIn(id) : null;
    const bound: { readonly id: string; readonly type: string }[] = [];
    for (const source of pointing.get(id) ?? []) {
      const { alive, type, start, end } = links.get(source) ?? NO_LINKS;
      if (source === text) bound.push({ id: source, type: "text" });
      else if (alive && type === "arrow" && (start === id || end === id)) bound.push({ id: source, type: "arrow" });
    }
    if (bound.length === 0) return Array.isArray(listed) ? [] : null;
    const place = placesIn(listed);
    return bound.sort((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || (a.id < b.id ? -1 : 1));
  };

  /** Of several texts that say they are inside a container, the one it lists first; the others stand free. */
  const textIn = (container: string): string | null => {
    if (!isAlive(container) || !isContainer(links.get(container)?.type)) return null;
    const texts = [...(pointing.get(container) ?? [])].filter((id) => isAlive(id) && links.get(id)?.container === container).sort();
    if (texts.length < 2) return texts[0] ?? null;
    const place = placesIn(stored(container)?.["boundElements"]);
    return texts.reduce((best, text) => ((place.get(text) ?? Infinity) < (place.get(best) ?? Infinity) ? text : best));
  };

  // ---- from the view to the document ----------------------------------------------------------------------

  const write = (what: { readonly text: boolean; readonly line: boolean }): void => {
    if (!writable) return;
    const scene = view.elements();
    const back = new Set<string>();
    if (!what.text && unfinished.text !== undefined) back.add(unfinished.text);
    if (!what.line && unfinished.line !== undefined) back.add(unfinished.line);

    const dirty: BoardElement[] = [];
    for (const element of scene) {
      const base = bases.get(element.id);
      if (base === undefined ? isBirth(element) : !base.phantom && !isClean(element, base)) dirty.push(element);
      if (base === undefined && isUnready(element)) back.add(element.id);
    }
    if (dirty.length === 0) return;
    const unborn = [...back].filter((id) => !elements.has(id));
    const ready = dirty.filter((element) => !back.has(element.id) && !unborn.some((id) => isBoundTo(element, id)));

    const born = ready.filter((element) => !bases.has(element.id));
    const changes = ready.flatMap((element) => {
      const base = bases.get(element.id);
      return base === undefined ? [] : [{ element, base, fields: difference(element, base) }];
    });
    const settled = settle(changes);
    const reordered = orderRepairs(scene, born, changes.filter(({ fields }) => fields.has("index")).map(({ element }) => element));

    if (born.length > 0) {
      // Born deleted, and brought to life in the next transaction, which is the step of undo. Undoing a creation thus
      // sets a field instead of removing the key with all that others have done to the shape since; redo finds it whole.
      doc.transact(() => {
        for (const element of born) {
          const words = typeof element[WORDS] === "string" ? { [WORDS]: new YText(element[WORDS]) } : {};
          elements.set(element.id, new YMap<unknown>(Object.entries({ ...sharedFields(element), ...words, isDeleted: true })));
        }
      }, SETTING);
    }
    if (born.length > 0 || changes.some(({ fields }) => fields.size > 0) || reordered.length > 0) {
      doc.transact(() => {
        for (const { id } of born) (elements.get(id) as YMap<unknown>).set("isDeleted", false);
        for (const { element, base, fields } of settled) {
          const map = elements.get(element.id);
          if (!(map instanceof YMap)) continue;
          for (const [field, value] of fields) {
            const words: unknown = map.get(field);
            if (field === WORDS && words instanceof YText && typeof value === "string") writeWords(words, String(base.fields[WORDS]), value);
            else if (value === undefined) map.delete(field);
            else map.set(field, value);
          }
        }
        for (const { id, index } of reordered) (elements.get(id) as YMap<unknown>).set("index", index);
        // Before the transaction ends and its events come: they are compared with what both sides agree on now.
        for (const element of born) agree(element, element.index);
        for (const { element, base, fields } of changes) agree(element, fields.has("index") ? element.index : base.order);
        for (const { id, index } of reordered) {
          const base = bases.get(id);
          if (base) base.order = index;
        }
      }, STEP);
    } else for (const { element, base } of changes) agree(element, base.order);
  };

  /** The same changes, where others changed the place or the size of these shapes meanwhile. */
  const settle = <Change extends { readonly element: BoardElement; readonly base: Base; readonly fields: ReadonlyMap<string, unknown> }>(changes: readonly Change[]): readonly Change[] => {
    // What the view put back is shown anew, also where nothing else was changed.
    for (const { element } of changes) if (began.has(element.id)) deferred.add(element.id);
    const moved = changes.filter(({ fields }) => [...PLACE].some((field) => fields.has(field)));
    const drifts = new Map<string, readonly [number, number]>();
    const settleOne = (change: Change): Change => {
      const { element, base, fields } = change;
      const written = read(element.id, stored(element.id, null));
      if (written === null) return change;
      const start = startOf(element, base);
      const theirs = { ...written };
      for (const field of PLACE) if (meanwhile.get(element.id)?.has(field) !== true) set(theirs, field, start[field]);
      const final = together(fields, start, element, theirs, (id) => drifts.get(id) ?? null);
      const drift = (field: "x" | "y"): number => Number(final.has(field) ? final.get(field) : theirs[field]) - Number(element[field]);
      drifts.set(element.id, [drift("x"), drift("y")]);
      return { ...change, fields: final };
    };
    // Lines last: where their ends are is up to the shapes these are bound to.
    const done = new Map<string, Change>();
    for (const lines of [false, true]) {
      for (const change of moved) if (change.fields.has("points") === lines) done.set(change.element.id, settleOne(change));
    }
    return changes.map((change) => done.get(change.element.id) ?? change);
  };

  /** What was changed in the words here, in what they have become meanwhile. */
  const writeWords = (words: YText, base: string, ours: string): void => {
    const theirs = words.toJSON();
    // From the back, so that what is before stays where it is.
    for (const { index, remove, insert } of editsBetween(theirs, carried(base, ours, theirs)).toReversed()) {
      if (remove > 0) words.delete(index, remove);
      else words.insert(index, insert);
    }
  };

  /** Shows what waited for a caret that has left, or for what was in hand to be written. */
  const catchUp = (): void => {
    const waiting = [...deferred].filter((id) => id !== unfinished.text);
    for (const id of waiting) deferred.delete(id);
    if (waiting.length > 0) take(waiting);
  };

  /** The pointer has come up, and what it did is written: what waited for it is shown. */
  const letGo = (): void => {
    began.clear();
    meanwhile.clear();
    const waiting = [...deferred];
    deferred.clear();
    if (waiting.length > 0) take(waiting);
  };

  /** A shape made here. One that is deleted before others have heard of it stays unheard of. */
  const isBirth = (element: BoardElement): boolean => !element.isDeleted && isShown(element.type) && !elements.has(element.id);

  const agree = (element: BoardElement, order: unknown): Base => {
    const { version, versionNonce } = element;
    const base = { fields: sharedFields(element), order, version, versionNonce, phantom: false };
    bases.set(element.id, base);
    return base;
  };

  const difference = (element: BoardElement, base: Base): Map<string, unknown> => {
    const changed = new Map<string, unknown>();
    const start = startOf(element, base);
    for (const field of new Set([...Object.keys(start), ...Object.keys(element)])) {
      if (isShared(field) && !equal(element[field], start[field])) changed.set(field, element[field]);
    }
    return changed;
  };

  /** What the change of a shape counts from: for what others changed after the pointer went down, what it was then. */
  const startOf = (element: BoardElement, base: Base): Fields => {
    const before = began.get(element.id);
    if (before === undefined) return base.fields;
    const start = { ...base.fields };
    // What the view has taken from them was not put back by it.
    for (const field of PLACE) if (!equal(element[field], base.fields[field])) set(start, field, before[field]);
    return start;
  };

  /**
   * The view counts a new `index` between those it shows, which may be its own mended ones. If by the document's a shape
   * would then stand elsewhere for others than it does here, the document gets the view's.
   */
  const orderRepairs = (
    scene: readonly BoardElement[],
    born: readonly BoardElement[],
    moved: readonly BoardElement[],
  ): readonly { readonly id: string; readonly index: unknown }[] => {
    if (born.length === 0 && moved.length === 0) return [];
    const fresh = new Set([...born, ...moved].map(({ id }) => id));
    const known = scene.filter(({ id }) => fresh.has(id) || bases.get(id)?.phantom === false);
    const key = (element: BoardElement): string => keyOf(fresh.has(element.id) ? element.index : bases.get(element.id)?.order);
    const ascends = known.every((element, at) => {
      const last = known[at - 1];
      if (last === undefined) return true;
      const [a, b] = [key(last), key(element)];
      return a < b || (a === b && last.id < element.id);
    });
    if (ascends) return [];
    const differs = ({ id, index }: BoardElement): boolean => !fresh.has(id) && elements.has(id) && index !== bases.get(id)?.order;
    return known.filter(differs).map(({ id, index }) => ({ id, index }));
  };

  const writeSome = (): void => {
    if (!held && !showing) write({ text: false, line: false });
  };
  const writeAll = (): void => write({ text: true, line: true });

  const inHand = (): ReadonlyMap<string, Fields> => {
    const hand = new Map<string, Fields>();
    for (const element of view.elements()) {
      const base = bases.get(element.id);
      if (base === undefined) {
        if (isBirth(element)) hand.set(element.id, sharedFields(element));
      } else if (!base.phantom && !isClean(element, base)) {
        const fields = difference(element, base);
        if (fields.size > 0) hand.set(element.id, Object.fromEntries(fields));
      }
    }
    return hand;
  };

  const step = (move: () => unknown): void => {
    if (!writable) return;
    held = false;
    writeAll();
    letGo();
    history.stopCapturing();
    move();
  };

  elements.observeDeep(onEvents);
  take(elements.keys());

  return {
    changed: writeSome,
    hold: () => {
      began.clear();
      meanwhile.clear();
      held = true;
    },
    release: () => {
      held = false;
      writeSome();
      letGo();
      history.stopCapturing();
    },
    unfinished: (shapes) => {
      const left = unfinished.text !== shapes.text || unfinished.line !== shapes.line;
      unfinished = shapes;
      if (!left) return;
      writeSome();
      history.stopCapturing();
      catchUp();
      // What others have in hand of it would be taken for what both know.
      if (shapes.text !== undefined && others.has(shapes.text)) take([shapes.text]);
    },
    pause: () => {
      if (!held && !showing) write({ text: true, line: false });
    },
    flush: writeAll,
    inHand,
    showInHand: (shapes) => {
      const before = others;
      others = shapes;
      const touched = new Set([...before.keys(), ...shapes.keys()]);
      take([...touched].filter((id) => before.get(id) !== shapes.get(id)));
    },
    allow: (writing) => {
      if (writing === writable) return;
      if (!writing) writeAll();
      writable = writing;
      writeSome();
      for (const listener of onAllowed) listener();
    },
    history: {
      undo: () => step(() => history.undo()),
      redo: () => step(() => history.redo()),
      canUndo: () => writable && history.canUndo(),
      canRedo: () => writable && history.canRedo(),
      subscribe: (listener) => {
        const events = ["stack-item-added", "stack-item-popped", "stack-cleared"] as const;
        for (const event of events) history.on(event, listener);
        onAllowed.add(listener);
        return () => {
          onAllowed.delete(listener);
          for (const event of events) history.off(event, listener);
        };
      },
    },
    dispose: () => {
      writeAll();
      elements.unobserveDeep(onEvents);
      history.destroy();
    },
  };
}

/** A shape without a place is below all others. */
function keyOf(index: unknown): string {
  return typeof index === "string" ? index : "";
}

/** A text without a letter and an image without a picture are on their way; to others they would be litter. */
function isUnready(element: BoardElement): boolean {
  return (element.type === "text" && element["text"] === "") || (element.type === "image" && typeof element["fileId"] !== "string");
}

function isClean(element: BoardElement, base: Base): boolean {
  return element.version === base.version && element.versionNonce === base.versionNonce;
}

function set(fields: Record<string, unknown>, field: string, value: unknown): void {
  if (value === undefined) delete fields[field];
  else fields[field] = value;
}

function linksOf(fields: Fields | null): Links {
  if (fields === null) return NO_LINKS;
  const id = (value: unknown): string | null => (typeof value === "string" ? value : null);
  const boundId = (value: unknown): string | null => (typeof value === "object" && value !== null ? id((value as Fields)["elementId"]) : null);
  const { type } = fields;
  const isLine = type === "arrow" || type === "line";
  return {
    alive: isShown(type) && fields["isDeleted"] !== true,
    type,
    container: type === "text" ? id(fields["containerId"]) : null,
    frame: id(fields["frameId"]),
    start: isLine ? boundId(fields["startBinding"]) : null,
    end: isLine ? boundId(fields["endBinding"]) : null,
  };
}

function isBoundTo(element: BoardElement, id: string): boolean {
  const bound = element["boundElements"];
  return Array.isArray(bound) && bound.some((entry: unknown) => typeof entry === "object" && entry !== null && (entry as Fields)["id"] === id);
}

/** Where each id stands in a stored list of bound shapes. */
function placesIn(listed: unknown): ReadonlyMap<unknown, number> {
  if (!Array.isArray(listed)) return new Map();
  return new Map(listed.map((entry: unknown, place) => [typeof entry === "object" && entry !== null ? (entry as Fields)["id"] : null, place]));
}
