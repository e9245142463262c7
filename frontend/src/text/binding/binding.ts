// The two directions between a text in the shared data and an editor's state, without a view: what is written in the
// editor goes to the sequences, and what becomes of the sequences goes to the editor. Whoever holds the state calls
// `write` after each change of its document, and is told when there is something to `take`.
import type { Node, Schema } from "@tiptap/pm/model";
import { EditorState, type Transaction } from "@tiptap/pm/state";
import type { StepMap } from "@tiptap/pm/transform";
import type { Doc, Text as YText, Transaction as SharedTransaction } from "yjs";
import { become } from "./apply";
import { anchorsBetween, select } from "./follow";
import { isTable, type Sequences } from "./grids";
import { BODY, cellPlace } from "./model";
import { Moves } from "./moves";
import { keptAlong } from "./moved";
import { perform, type Put, UNSEEN, type Written } from "./perform";
import type { Place } from "./places";
import { put, putAgain, putAt } from "./put";
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

  /** While one writes: what is told then is one's own. */
  private writing: Writing | null = null;

  constructor({ doc, schema, newId = randomId }: BindingPorts) {
    this.doc = doc;
    this.newId = newId;
    this.reader = new Reader(schema);
    this.sources = new Sources(doc, { onChange: this.onChanged, onFields: this.onFields, onSettled: this.onSettled });
    this.moves = new Moves(doc, this.sources.text);
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
      const written = this.transact(undoable ? this : UNSEEN, (transaction) =>
        act((root, operations) => {
          const text = this.doc.getText(root);
          own.set(root, operations);
          if (behind === null) {
            const learn = root === BODY ? this.moves.watch(this.shown.index.sequences.body, operations) : null;
            put(text, operations, transaction);
            learn?.();
          } else putAgain(text, operations, foundIn(behind, root), transaction);
        }),
      );
      behind = behind === null ? null : after(behind, own, written);
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
    const [was, { along }, moved] = [this.shown, this.since, new Map(this.since.stayed)];
    const next = held === null ? null : this.holding(held);
    if (next === null) this.show(this.sources.now());
    else {
      for (const [root, kept] of next.moved) moved.set(root, kept);
      this.show(next.sequences);
      this.since = { stayed: new Map(next.stayed), along: new Map(next.along) };
      this.waits = next.waits;
    }
    if (was.doc === this.shown.doc) return null;
    const transaction = state.tr;
    become(transaction, this.shown.doc, (from, to) => anchorsBetween(was, this.shown, moved, from, to));
    select(transaction, state, was, this.shown, moved, next === null ? along : new Map());
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
    const parts = missing({ lines, kept: foundIn(behind, root) }, start.index, end.index);
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
    return { ...this.shown.index.sequences, stayed: new Map(this.since.stayed), along: new Map(this.since.along) };
  }

  private show(sequences: Sequences): void {
    this.shown = this.reader.read(sequences);
    this.since = nothing();
    this.waits = false;
  }

  /** All the sequences as they are, but for the line at a place of the document. */
  private holding(position: number): { readonly sequences: Sequences; readonly stayed: Stayed; readonly along: Stayed; readonly moved: Stayed; readonly waits: boolean } | null {
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
    const body = root === BODY ? now.body : withTable(now.body, index.sequences.body, root);
    const as = (shown: readonly Line[]): Sequences => (root === BODY ? { ...now, body: shown } : { body, cells: new Map(now.cells).set(root, shown) });
    const along = this.since.along.get(root) ?? [];
    const goesAlong = along.some(({ was, length }) => was < spot.to && was + length > from);
    // It stands somewhere else now, or a part of another line has become one of this: all around it waits, too.
    if (held === null || goesAlong) return { sequences: as(lines), stayed: new Map([[root, kept]]), along: new Map([[root, along]]), moved: new Map([[root, SAME]]), waits: true };
    if (!held.waits && body === now.body) return null;
    return { sequences: as(held.lines), stayed: new Map([[root, held.kept]]), along: new Map(), moved: new Map([[root, held.stayed]]), waits: true };
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
      this.since = { stayed: behind.stayed, along: behind.along };
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
      this.since.stayed.set(root, composed(stayed, kept));
      this.since.along.set(root, inOrder([...composed(along, inOrder([...kept, ...moved])), ...composed(stayed, moved)]));
    } else this.writing.heard.set(root, [...(this.writing.heard.get(root) ?? []), delta]);
  };

  private readonly onFields = (root: string, maps: ReadonlySet<unknown>): void => {
    if (this.writing === null) this.waits = true;
    else this.writing.touched.set(root, new Set([...(this.writing.touched.get(root) ?? []), ...maps]));
  };

  private readonly onSettled = (): void => {
    if (this.writing === null) for (const listener of this.listeners) listener();
  };
}

/** The table of a cell as it was before: where the cell stands, and what it is a part of, stays as it is, too. */
function withTable(now: readonly Line[], before: readonly Line[], root: string): readonly Line[] {
  const table = before.find((line) => isTable(line) && line.fields["id"] === cellPlace(root)?.table);
  const at = table === undefined ? -1 : now.findIndex(({ boundary }) => boundary === table.boundary);
  const line = now[at];
  return table === undefined || line === undefined || line.fields === table.fields ? now : now.with(at, { ...line, fields: table.fields });
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
}

const nothing = (): Since => ({ stayed: new Map(), along: new Map() });

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

/** What is shown of the sequences after one has written in what was shown of them. */
function after(behind: Behind, own: ReadonlyMap<string, readonly Operation[]>, { heard, touched }: Writing): Behind | null {
  let { body } = behind;
  const cells = new Map(behind.cells);
  const [stayed, along] = [new Map(behind.stayed), new Map(behind.along)];
  const keep = (root: string, lines: readonly Line[]): void => void (root === BODY ? (body = lines) : cells.set(root, lines));
  for (const [root, operations] of own) {
    const [delta, ...more] = heard.get(root) ?? [[]];
    const next = more.length > 0 ? null : written({ lines: linesIn({ body, cells }, root), kept: stayed.get(root) ?? SAME }, operations, delta ?? []);
    if (next === null) return null;
    keep(root, next.lines);
    stayed.set(root, next.kept);
    along.set(root, movedThen(along.get(root) ?? [], operations, delta ?? []));
  }
  for (const [root, maps] of touched) keep(root, refreshed(linesIn({ body, cells }, root), maps));
  return { body, cells, stayed, along };
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
