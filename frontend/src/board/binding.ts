// The board's two truths kept in step: the shared document (stored.ts) and what this browser's view shows. Knows neither
// React nor Excalidraw nor a clock; the view comes in through `BoardView`.
//
// One rule carries the rest. For every shape the binding remembers what both sides last agreed on (agreed.ts): what differs
// from that in the view was changed here, what differs in the document elsewhere. So two people who change different fields
// of one shape both keep their change, and nobody needs to recognise an echo.
// A view that drags counts from where the drag began, and puts every field of a place back to that with each move. So while
// the pointer is down the base of what it moves stays what it was when it went down; what others did meanwhile is shown when
// it comes up. A place that both changed moves by the sum of both (drag.ts).
// What a read mends (element.ts, ties.ts) becomes part of the base and is therefore never written back.
import { UndoManager, type AbstractType, type Doc, type Transaction, type YEvent } from "yjs";
import { agreedOn, changedSince, isClean, newsOf, put, startOf, type Base } from "./agreed";
import { allTogether, PLACE, type Change } from "./drag";
import { mended, sharedFields, WORDS, type BoardElement, type Fields } from "./element";
import { historyOf, type BoardHistory } from "./history";
import { byOrder, orderRepairs } from "./order";
import { isUnready, ownIn, readyOf } from "./own";
import { ELEMENTS, sharedWords, storedFields, storedShape, unborn, writeFields } from "./stored";
import { openTies } from "./ties";
import { sameWords } from "./words";

/** Changes within this time become one step of undo, in ms. A pointer that comes up ends the step at once. */
const UNDO_PAUSE = 400;

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

/** What was changed here in a shape, since what both agreed on. */
interface OwnChange extends Change {
  readonly element: BoardElement;
  readonly base: Base;
}

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
  const isStored = (id: string): boolean => elements.has(id);
  const ties = openTies((id) => stored(id)?.["boundElements"]);
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
  const steps = new UndoManager(elements, { trackedOrigins: new Set([STEP]), captureTimeout: UNDO_PAUSE });

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
      for (const tied of ties.note(id, stored(id))) ids.add(tied);
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
    if (unordered) next.sort(byOrder(bases));
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
    const words = sharedWords(storedShape(elements, id))?.toJSON() ?? null;
    const news = newsOf(element, base, incoming, { clean, held, writing: unfinished.text === id, words });
    for (const [field, value] of Object.entries(news.agreed)) put(base.fields, field, value);
    base.order = news.order;
    if (news.waits) deferred.add(id);
    if (news.retyped !== null) retyped = { id, ...news.retyped };
    if (fields !== null) base.phantom = !elements.has(id);
    const changes = Object.entries(news.shown);
    if (changes.length === 0) return element;
    const merged: Record<string, unknown> = { ...element };
    for (const [field, value] of changes) put(merged, field, value);
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

  // ---- reading a shape, with its ties ---------------------------------------------------------------------

  /** What the document says of a shape, with what somebody has in hand of it on top. */
  const stored = (id: string, inHand: Fields | null = others.get(id) ?? null): Fields | null => {
    const shape = storedShape(elements, id);
    if (shape === null) return inHand === null ? null : { ...inHand, isDeleted: false, locked: true };
    const fields = storedFields(shape);
    return inHand === null ? fields : { ...fields, ...inHand, isDeleted: fields["isDeleted"] };
  };

  /** A shape as it is to be shown; `null` if there is none, or none that can be shown. */
  const read = (id: string, raw: Fields | null = stored(id)): Record<string, unknown> | null => {
    const fields = raw && mended(raw);
    if (fields === null) return null;
    const container = ties.tie(id, fields);
    // The stored lines are of other words.
    if (sharedWords(storedShape(elements, id)) !== null && !sameWords(String(fields["text"]), String(fields[WORDS]))) {
      const around = fields["containerId"] === null || container === null ? null : stored(container);
      Object.assign(fields, view.fit?.(fields, around && mended(around)) ?? { text: fields[WORDS] });
    }
    return fields;
  };

  // ---- from the view to the document ----------------------------------------------------------------------

  const write = (what: { readonly text: boolean; readonly line: boolean }): void => {
    if (!writable) return;
    const scene = view.elements();
    const own = ownIn(scene, bases, isStored);
    if (own.born.length + own.changed.length === 0) return;
    const back = new Set(scene.filter((element) => !bases.has(element.id) && isUnready(element)).map(({ id }) => id));
    if (!what.text && unfinished.text !== undefined) back.add(unfinished.text);
    if (!what.line && unfinished.line !== undefined) back.add(unfinished.line);
    const { born, changed } = readyOf(own, back, isStored);
    const changes = changed.map(({ element, base }) => changeOf(element, base));
    const settled = settle(changes);
    const moved = changes.filter(({ fields }) => fields.has("index")).map(({ element }) => element);
    const reordered = orderRepairs(scene, new Set([...born, ...moved].map(({ id }) => id)), bases).filter(({ id }) => isStored(id));

    if (born.length > 0) {
      // Born deleted, and brought to life in the next transaction, which is the step of undo. Undoing a creation thus
      // sets a field instead of removing the key with all that others have done to the shape since; redo finds it whole.
      doc.transact(() => {
        for (const element of born) elements.set(element.id, unborn(element));
      }, SETTING);
    }
    if (born.length > 0 || changes.some(({ fields }) => fields.size > 0) || reordered.length > 0) {
      doc.transact(() => {
        for (const { id } of born) storedShape(elements, id)?.set("isDeleted", false);
        for (const { element, base, fields } of settled) {
          const shape = storedShape(elements, element.id);
          if (shape !== null) writeFields(shape, fields, base.fields[WORDS]);
        }
        for (const { id, index } of reordered) storedShape(elements, id)?.set("index", index);
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
  const settle = (changes: readonly OwnChange[]): readonly OwnChange[] => {
    // What the view put back is shown anew, also where nothing else was changed.
    for (const { element } of changes) if (began.has(element.id)) deferred.add(element.id);
    return allTogether(changes, ({ element: { id }, from }) => {
      const theirs = read(id, stored(id, null));
      if (theirs !== null) for (const field of PLACE) if (meanwhile.get(id)?.has(field) !== true) put(theirs, field, from[field]);
      return theirs;
    });
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

  const agree = (element: BoardElement, order: unknown): Base => {
    const base = agreedOn(element, order);
    bases.set(element.id, base);
    return base;
  };

  const changeOf = (element: BoardElement, base: Base): OwnChange => {
    const from = startOf(element, base, began.get(element.id));
    return { element, base, from, fields: changedSince(from, element) };
  };

  const writeSome = (): void => {
    if (!held && !showing) write({ text: false, line: false });
  };
  const writeAll = (): void => write({ text: true, line: true });

  const inHand = (): ReadonlyMap<string, Fields> => {
    const hand = new Map<string, Fields>();
    const { born, changed } = ownIn(view.elements(), bases, isStored);
    for (const element of born) hand.set(element.id, sharedFields(element));
    for (const { element, base } of changed) {
      const { fields } = changeOf(element, base);
      if (fields.size > 0) hand.set(element.id, Object.fromEntries(fields));
    }
    return hand;
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
      steps.stopCapturing();
    },
    unfinished: (shapes) => {
      const left = unfinished.text !== shapes.text || unfinished.line !== shapes.line;
      unfinished = shapes;
      if (!left) return;
      writeSome();
      steps.stopCapturing();
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
    history: historyOf(steps, {
      writable: () => writable,
      allowed: onAllowed,
      settle: () => {
        held = false;
        writeAll();
        letGo();
      },
    }),
    dispose: () => {
      writeAll();
      elements.unobserveDeep(onEvents);
      steps.destroy();
    },
  };
}
