// The two directions between a text in the shared data and an editor's state, without a view: what is written in the
// editor goes to the sequences, and what becomes of the sequences goes to the editor. Whoever holds the state calls
// `write` after each change of its document, and is told when there is something to `take`.
import type { Node, Schema } from "@tiptap/pm/model";
import { EditorState, type Transaction } from "@tiptap/pm/state";
import type { StepMap } from "@tiptap/pm/transform";
import type { Doc, Text as YText, Transaction as SharedTransaction } from "yjs";
import { become } from "./apply";
import { anchorsBetween, select } from "./follow";
import type { Sequences } from "./grids";
import { BODY } from "./model";
import { Moves } from "./moves";
import { type Across, keptAcross, keptAlong, type RootChange } from "./moved";
import { perform, type Put, UNSEEN, type Written } from "./perform";
import type { Place } from "./places";
import { type Left, placedAgain, put, putAt } from "./put";
import { Reader, type Reading } from "./read";
import { type Delta, type Kept, type Line, refreshed } from "./sequence";
import { linesIn, Sources } from "./sources";
import { behindSame, behindSameThen, composed, holding, inOrder, insertsOf, keptOf, lineAt, missing, movedThen, SAME, written } from "./waiting";
import { sequencesOf } from "./words";
import { differing } from "./window";
import { bodyChange, type Operation } from "./write";

export type { Written } from "./perform";

export interface BindingPorts {
  readonly doc: Doc;
  readonly schema: Schema;
  /** Names for tables, rows and columns that nobody else gives. */
  readonly newId?: () => string;
}

/** Called when the sequences have become something else than was last written or taken. */
export type Listener = () => void;

export class TextBinding {
  readonly doc: Doc;
  private readonly reader: Reader;
  private readonly sources: Sources;
  private readonly moves: Moves;
  private readonly newId: () => string;
  private readonly listeners = new Set<Listener>();

  /** What the editor shows: all of the sequences, or what they were before changes that wait. */
  private shown: Reading;
  private since: Since = nothing();
  private waits = false;
  /** What a transaction that is not over did. */
  private readonly heard: Heard[] = [];

  /** While one writes: what is told then is one's own. */
  private writing: Writing | null = null;

  constructor({ doc, schema, newId = randomId }: BindingPorts) {
    this.doc = doc;
    this.newId = newId;
    this.reader = new Reader(schema);
    this.sources = new Sources(doc, { onChange: this.onChanged, onFields: this.onFields, onSettled: this.onSettled });
    this.moves = new Moves(doc);
    this.shown = this.reader.read(this.sources.now());
    this.since = nothing();
    this.waits = false;
  }

  dispose(): void {
    this.moves.dispose();
    this.sources.dispose();
    this.listeners.clear();
  }

  /** The document an editor has to start with. */
  get document(): Node {
    return this.shown.doc;
  }

  /** The editor shows that now, in nodes that may be others: what is compared with the next is they. */
  isShownAs(doc: Node): void {
    if (!doc.eq(this.shown.doc)) return;
    this.shown = this.reader.adopt(this.shown, doc);
  }

  get reading(): Reading {
    return this.shown;
  }

  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A place of the document as one of the shared data; `null` where it has none. */
  toShared(position: number): { readonly root: YText; readonly index: number } | null {
    const place = this.shown.index.toSequence(position);
    const root = place === null ? null : this.sources.root(place.root);
    return root === null || place === null ? null : { root, index: behindSame(foundIn(this.since, place.root), place.index) };
  }

  fromShared(root: unknown, index: number): number | null {
    const name = this.sources.nameOf(root);
    return name === null ? null : this.shown.index.toDocument({ root: name, index: behindSameThen(foundIn(this.since, name), index) } satisfies Place);
  }

  /**
   * Brings the sequences to what the editor shows. Answers with what the editor has to show instead, where the sequences
   * cannot say exactly that; `null` where they can. `mapping` are the steps since this was last called, or since the last
   * that was taken; without them, equal letters are taken for the same.
   */
  write(state: EditorState, mapping: Mappable | null, said: (change: Written) => void = () => undefined): Transaction | null {
    const now = state.doc;
    if (now === this.shown.doc) return null;
    const stayed = mapping === null ? null : stayedIn(this.shown.doc, mapping.maps);
    const change = bodyChange(this.reader, this.shown, now, state.selection.head, stayed);
    if (change === null) {
      this.shown = { doc: now, index: this.shown.index };
      return null;
    }
    let behind: Behind | null = this.waits ? this.behind() : null;
    const transact = (undoable: boolean, act: (put: Put) => void): void => {
      const own = new Map<string, readonly Operation[]>();
      const again = new Map<string, readonly string[]>();
      const written = this.transact(undoable ? this : UNSEEN, (transaction) => {
        act((root, operations) => void own.set(root, operations));
        // All at once: what goes from one of them to another is found only in both.
        const { index } = this.shown;
        const learn = behind === null ? this.moves.watch(this.asShown([...own].map(([root, change]) => ({ root, lines: linesIn(index.sequences, root), change })))) : null;
        for (const [root, operations] of own) {
          if (behind === null) {
            put(this.doc.getText(root), operations, transaction);
            continue;
          }
          const { inserts, placed } = placedAgain(operations, leftOf(behind, root), root);
          again.set(root, inserts);
          for (const [to, all] of placed) putAt(this.doc.getText(to), all, transaction);
        }
        learn?.();
      });
      behind = behind === null ? null : after(behind, own, again, written);
    };
    perform({ reader: this.reader, shown: this.shown, newId: this.newId, transact }, change, state, stayed, said);
    return this.settle(state, now, behind);
  }

  /**
   * Shows what the sequences have become; `null` if it is what is shown. The line at `held` stays as it is, with what
   * others made of it, until it is not held any more.
   */
  take(state: EditorState, held: number | null = null): Transaction | null {
    if (!this.waits) return null;
    const [was, { along, across }, moved] = [this.shown, this.since, new Map(this.since.stayed)];
    const next = held === null ? null : this.holding(held);
    if (next === null) this.show(this.sources.now());
    else {
      for (const [root, kept] of next.moved) moved.set(root, kept);
      this.show(next.sequences);
      this.since = { stayed: new Map(next.stayed), along: new Map(next.along), across: next.across };
      this.waits = next.waits;
    }
    if (was.doc === this.shown.doc) return null;
    const transaction = state.tr;
    become(transaction, this.shown.doc, (from, to) => anchorsBetween(was, this.shown, moved, from, to));
    select(transaction, state, was, this.shown, moved, next === null ? along : new Map(), next === null ? across : []);
    this.isShownAs(transaction.doc);
    return followed(transaction);
  }

  /**
   * What somebody has composed between two places is put in again where others took parts of it away meanwhile: nobody had
   * seen the word, for it was not there yet.
   */
  complete(from: number, to: number): void {
    const [start, end] = [this.shown.index.toSequence(from), this.shown.index.toSequence(to)];
    if (!this.waits || start === null || start.root !== end?.root) return;
    const { root } = start;
    const behind = this.behind();
    const lines = linesIn(behind, root);
    const parts = stretchesBetween(behind.across.filter((one) => one.root === root), start.index, end.index).flatMap(([from, to]) => missing({ lines, kept: foundIn(behind, root) }, from, to)).sort((one, other) => one.at - other.at);
    if (parts.length === 0) return;
    const heard = this.transact(this, (transaction) => putAt(this.doc.getText(root), parts, transaction)).heard.get(root)?.[0] ?? [];
    const places = insertsOf(heard);
    const again = parts.flatMap(({ was, length }) => Array.from({ length }, (_, at) => was + at)).map((was, at): Kept => ({ was, is: places[at] ?? 0, length: 1 }));
    this.since.stayed.set(root, inOrder([...composed(this.kept(root), keptOf(heard)), ...again]));
    this.since.along.set(root, composed(this.since.along.get(root) ?? [], keptOf(heard)));
  }

  private kept(root: string): readonly Kept[] {
    return this.since.stayed.get(root) ?? SAME;
  }

  private behind(): Behind {
    return { ...this.shown.index.sequences, ...this.since, stayed: new Map(this.since.stayed), along: new Map(this.since.along) };
  }

  private show(sequences: Sequences): void {
    this.shown = this.reader.read(sequences);
    this.since = nothing();
    this.waits = false;
  }

  /** All the sequences as they are, but for the line at a place of the document. */
  private holding(position: number): { readonly sequences: Sequences; readonly stayed: Stayed; readonly along: Stayed; readonly across: readonly Across[]; readonly moved: Stayed; readonly waits: boolean } | null {
    const { index } = this.shown;
    const spot = index.spotAt(position);
    const now = this.sources.now();
    if (spot === null) return null;
    const { root } = spot;
    const kept = this.kept(root);
    const lines = linesIn(index.sequences, root);
    // Words behind a rule or a table are in its line.
    const from = lineAt(lines, spot.boundary === null ? spot.from : spot.from - 1);
    const held = holding({ lines, kept }, linesIn(now, root), [from, spot.to]);
    const as = (shown: readonly Line[], name = root, all = now): Sequences => (name === BODY ? { ...all, body: shown } : { ...all, cells: new Map(all.cells).set(name, shown) });
    const { across } = this.since;
    // Where a part of it stands in another sequence now, all of those wait.
    if (across.some((one) => one.root === root && one.was < spot.to && one.was + one.length > from)) {
      const roots = [...new Set([root, ...across.flatMap((one) => [one.root, one.to])])];
      return {
        sequences: roots.reduce((all, name) => as(linesIn(index.sequences, name), name, all), now),
        stayed: new Map(roots.map((name) => [name, this.kept(name)])),
        along: new Map(roots.map((name) => [name, this.since.along.get(name) ?? []])),
        across,
        moved: new Map(roots.map((name) => [name, SAME])),
        waits: true,
      };
    }
    const along = this.since.along.get(root) ?? [];
    const goesAlong = along.some(({ was, length }) => was < spot.to && was + length > from);
    // It stands somewhere else now, or a part of another line has become one of this: all around it waits, too.
    if (held === null || goesAlong) return { sequences: as(lines), stayed: new Map([[root, kept]]), along: new Map([[root, along]]), across: [], moved: new Map([[root, SAME]]), waits: true };
    if (!held.waits) return null;
    return { sequences: as(held.lines), stayed: new Map([[root, held.kept]]), along: new Map(), across: [], moved: new Map([[root, held.stayed]]), waits: true };
  }

  /** One transaction; answers what was written. */
  private transact(origin: unknown, act: (transaction: SharedTransaction) => void): Writing {
    const writing: Writing = { heard: new Map(), touched: new Map() };
    this.writing = writing;
    try {
      transacted(this.doc, act, origin);
    } finally {
      this.writing = null;
    }
    return writing;
  }

  /** After a change of one's own: what is shown is used as it is, as far as the sequences say the same. */
  private settle(state: EditorState, now: Node, behind: Behind | null): Transaction | null {
    const window = differing(this.shown.doc, now);
    if (window !== null) this.reader.offer(now.content.content.slice(window.from, window.newTo));
    this.show(behind === null ? this.sources.now() : { body: behind.body, cells: behind.cells });
    this.reader.offer([]);
    if (behind !== null) {
      this.since = { stayed: behind.stayed, along: behind.along, across: behind.across };
      this.waits = true;
    }
    if (this.shown.doc === now) return null;
    this.isShownAs(now);
    if (this.shown.doc === now) return null;
    const transaction = state.tr;
    become(transaction, this.shown.doc, null);
    this.isShownAs(transaction.doc);
    return followed(transaction);
  }

  private readonly onChanged = (root: string, delta: Delta, kept: readonly Kept[], before: readonly Line[]): void => {
    if (this.writing === null) {
      this.waits = true;
      const [stayed, along] = [this.kept(root), this.since.along.get(root) ?? []];
      const moved = keptAlong(before, delta);
      this.heard.push({ root, lines: before, change: delta, kept, stayed, along });
      this.since.stayed.set(root, composed(stayed, kept));
      this.since.along.set(root, inOrder([...composed(along, inOrder([...kept, ...moved])), ...composed(stayed, moved)]));
    } else this.writing.heard.set(root, [...(this.writing.heard.get(root) ?? []), delta]);
  };

  /** In the order of the document. */
  private asShown<Change extends RootChange>(changes: readonly Change[]): readonly Change[] {
    if (changes.length < 2) return changes;
    const places = new Map(changes.map(({ root }) => [root, this.shown.index.spotsIn(root)[0]?.at ?? Infinity]));
    return changes.toSorted((one, other) => (places.get(one.root) ?? 0) - (places.get(other.root) ?? 0));
  }

  private readonly onFields = (root: string, maps: ReadonlySet<unknown>): void => {
    if (this.writing === null) this.waits = true;
    else this.writing.touched.set(root, new Set([...(this.writing.touched.get(root) ?? []), ...maps]));
  };

  private readonly onSettled = (): void => {
    const heard = this.heard.splice(0);
    if (heard.length > 0) this.since = { ...this.since, across: acrossThen(this.since.across, heard, keptAcross(this.asShown(heard))) };
    if (this.writing === null) for (const listener of this.listeners) listener();
  };
}

/**
 * What is written is written, also where somebody else who listens to the shared data fails on hearing of it: the editor
 * must not take it for something that is still to be written.
 */
function transacted(doc: Doc, act: (transaction: SharedTransaction) => void, origin: unknown): void {
  let acted = false;
  try {
    doc.transact((transaction) => {
      act(transaction);
      acted = true;
    }, origin);
  } catch (error) {
    if (!acted) throw error;
    reportError(error);
  }
}

type Stayed = ReadonlyMap<string, readonly Kept[]>;

/** What became of what is shown, by root. */
interface Since {
  /** What stayed of it. Roots that are not in it stayed as they are. */
  readonly stayed: Map<string, readonly Kept[]>;
  /** What others took away and put in somewhere else. */
  readonly along: Map<string, readonly Kept[]>;
  /** And in another sequence than it was in. */
  readonly across: readonly Across[];
}

const nothing = (): Since => ({ stayed: new Map(), along: new Map(), across: [] });

/** What others did to a sequence, and what was left before that of what is shown. */
interface Heard extends RootChange {
  readonly kept: readonly Kept[];
  readonly stayed: readonly Kept[];
  readonly along: readonly Kept[];
}

/** What went to other sequences, after one more change of several. */
function acrossThen(before: readonly Across[], heard: readonly Heard[], moved: readonly Across[]): readonly Across[] {
  if (before.length === 0 && moved.length === 0) return before;
  const of = (root: string): Heard | undefined => heard.find((one) => one.root === root);
  const stayed = before.flatMap((one) => composed([one], of(one.to)?.kept ?? SAME).map((kept): Across => ({ ...one, ...kept })));
  const again = before.flatMap((one) => moved.filter(({ root }) => root === one.to).flatMap((next) => composed([one], [next]).map((kept): Across => ({ root: one.root, to: next.to, ...kept }))));
  const first = moved.flatMap((one) => composed(inOrder([...(of(one.root)?.stayed ?? SAME), ...(of(one.root)?.along ?? [])]), [one]).map((kept): Across => ({ root: one.root, to: one.to, ...kept })));
  return [...stayed, ...again, ...first];
}

/** All that can still be found of what is shown, and where. */
function foundIn({ stayed, along }: Since, root: string): readonly Kept[] {
  return inOrder([...(stayed.get(root) ?? SAME), ...(along.get(root) ?? [])]);
}

/** What is shown while changes of others wait. */
interface Behind extends Sequences, Since {}

/** What was heard of what one wrote, by root: the changes of its sequence, and the objects in it whose fields changed. */
interface Writing {
  readonly heard: Map<string, Delta[]>;
  readonly touched: Map<string, Set<unknown>>;
}

/** What is shown of the sequences after one has written in what was shown of them; `again` says in which the letters are. */
function after(behind: Behind, own: ReadonlyMap<string, readonly Operation[]>, again: ReadonlyMap<string, readonly string[]>, { heard, touched }: Writing): Behind | null {
  let { body } = behind;
  const cells = new Map(behind.cells);
  const [stayed, along] = [new Map(behind.stayed), new Map(behind.along)];
  const keep = (root: string, lines: readonly Line[]): void => void (root === BODY ? (body = lines) : cells.set(root, lines));
  if ([...heard.values()].some(({ length }) => length > 1)) return null;
  const heardIn = (root: string): Delta => heard.get(root)?.[0] ?? [];
  let across = behind.across.flatMap((one) => composed([one], keptOf(heardIn(one.to))).map((kept): Across => ({ ...one, ...kept })));
  for (const [root, operations] of own) {
    const letters = insertsIn(operations, again.get(root) ?? []);
    const next = written({ lines: linesIn({ body, cells }, root), kept: stayed.get(root) ?? SAME }, operations, heardIn(root), letters.map(({ to }) => to === root));
    if (next === null) return null;
    keep(root, next.lines);
    stayed.set(root, next.kept);
    along.set(root, movedThen(along.get(root) ?? [], operations, heardIn(root)));
    const gone = letters.filter(({ to }) => to !== root);
    across = across.flatMap((one) => (one.root === root ? movedThen([one], operations, []).map((kept): Across => ({ ...one, ...kept })) : [one]));
    for (const to of new Set(gone.map((one) => one.to))) {
      const [here, there] = [gone.filter((one) => one.to === to), insertsOf(heardIn(to))];
      if (here.length !== there.length) return null;
      across = [...across, ...here.map(({ was }, at): Across => ({ root, to, was, is: there[at] ?? 0, length: 1 }))];
    }
  }
  for (const [root, [delta = []]] of heard) if (!own.has(root)) stayed.set(root, composed(stayed.get(root) ?? SAME, keptOf(delta)));
  for (const [root, maps] of touched) keep(root, refreshed(linesIn({ body, cells }, root), maps));
  return { body, cells, stayed, along, across };
}

/** Each place that operations put something in, in what they make, and in which sequence that is. */
function insertsIn(operations: readonly Operation[], again: readonly string[]): readonly { readonly was: number; readonly to: string }[] {
  const places = insertsOf(operations);
  const roots = operations.flatMap((one) => ("insert" in one ? [typeof one.insert === "string" ? one.insert.length : 1] : [])).flatMap((length, at) => Array.from({ length }, () => again[at] ?? ""));
  return places.map((was, at) => ({ was, to: roots[at] ?? "" }));
}

/** All that there is of what is shown of a sequence, wherever it is. */
function leftOf(since: Since, root: string): readonly Left[] {
  return [...foundIn(since, root).map((kept) => ({ ...kept, to: root })), ...since.across.filter((one) => one.root === root)].sort((one, other) => one.was - other.was);
}

/** What lies between two places and is not in another sequence. */
function stretchesBetween(across: readonly Kept[], from: number, to: number): readonly (readonly [number, number])[] {
  let at = from;
  const found: [number, number][] = [];
  for (const { was, length } of [...inOrder(across), { was: to, length: 0 }]) {
    if (was > at) found.push([at, Math.min(was, to)]);
    at = Math.max(at, was + length);
  }
  return found.filter(([start, end]) => start < end);
}

/** Makes this the text, of a document that nobody has open. */
export function writeText(doc: Doc, content: Node): void {
  const binding = new TextBinding({ doc, schema: content.type.schema });
  binding.write(EditorState.create({ doc: content }), null);
  binding.dispose();
}

/** How a text reads, without an editor that shows it. */
export function readText(doc: Doc, schema: Schema): Node {
  return new Reader(schema).read(sequencesOf(doc)).doc;
}

/** Set on what shows the sequences: it is nothing that anybody wrote, and nothing to be written. */
export const FOLLOWS = "weft:follows";

export function followed(transaction: Transaction): Transaction {
  // Tiptap takes a selected text that becomes empty for one that was deleted, and makes a paragraph of it.
  return transaction.setMeta(FOLLOWS, true).setMeta("preventClearDocument", true).setMeta("addToHistory", false);
}

/** The steps between what was shown and what is: of a transaction, or of several. */
export interface Mappable {
  readonly maps: readonly StepMap[];
}

/** What no step replaced. */
function stayedIn(doc: Node, maps: readonly StepMap[]): readonly Kept[] {
  let kept: readonly Kept[] = [{ was: 0, is: 0, length: doc.content.size }];
  for (const map of maps) {
    const own: Kept[] = [];
    let [was, is] = [0, 0];
    map.forEach((from, to, _, newTo) => {
      own.push({ was, is, length: from - was });
      [was, is] = [to, newTo];
    });
    own.push({ was, is, length: Infinity });
    kept = composed(kept, own);
  }
  return kept;
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"[byte % 64] ?? "").join("");
}
