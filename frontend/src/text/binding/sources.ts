// All the sequences of a text as they are, kept in step with the shared data by its events. Whoever holds them is told what
// each change left where it was.
import { type AbstractType, type Doc, type Text as YText, type Transaction, type YEvent, YTextEvent } from "yjs";
import type { Sequences } from "./grids";
import { BODY, cellPlace } from "./model";
import { changed, type Delta, type Kept, type Line, linesOf, refreshed } from "./sequence";

export interface SourcesPorts {
  /** A sequence has changed, or was found. */
  readonly onChange: (root: string, delta: Delta, kept: readonly Kept[], before: readonly Line[]) => void;
  /** Fields of objects in it have changed. */
  readonly onFields: (root: string, touched: ReadonlySet<unknown>) => void;
  /** Something of that has happened in a transaction, which is over. */
  readonly onSettled: () => void;
}

export class Sources {
  private lines: readonly Line[];
  private cells: ReadonlyMap<string, readonly Line[]> = new Map();
  private readonly roots = new Map<unknown, string>();
  private isNews = false;

  constructor(
    private readonly doc: Doc,
    private readonly ports: SourcesPorts,
  ) {
    this.lines = linesOf(this.text);
    this.roots.set(this.text, BODY);
    this.text.observeDeep(this.onEvents);
    this.findCells();
    this.isNews = false;
    doc.on("afterTransaction", this.afterTransaction);
  }

  dispose(): void {
    for (const root of this.roots.keys()) (root as YText).unobserveDeep(this.onEvents);
    this.doc.off("afterTransaction", this.afterTransaction);
  }

  get text(): YText {
    return this.doc.getText(BODY);
  }

  now(): Sequences {
    return { body: this.lines, cells: this.cells };
  }

  /** The root of that name, if there is one. */
  root(name: string): YText | null {
    return name === BODY ? this.text : cellPlace(name) !== null && this.doc.share.has(name) ? this.doc.getText(name) : null;
  }

  nameOf(root: unknown): string | null {
    return this.roots.get(root) ?? null;
  }

  private keep(name: string, lines: readonly Line[]): void {
    if (name === BODY) this.lines = lines;
    else this.cells = new Map(this.cells).set(name, lines);
    this.isNews = true;
  }

  private readonly onEvents = (events: YEvent<AbstractType<unknown>>[]): void => {
    const touched = new Set<unknown>();
    let name = "";
    for (const event of events) {
      let root: AbstractType<unknown> = event.target;
      while (root.parent !== null) root = root.parent;
      name = this.roots.get(root) ?? "";
      if (event.target === root && event instanceof YTextEvent) {
        const delta = event.delta as Delta;
        const before = linesIn(this.now(), name);
        const { lines, kept } = changed(before, delta);
        this.keep(name, lines);
        this.ports.onChange(name, delta, kept, before);
      } else touched.add(topMap(event.target, root));
    }
    if (touched.size === 0) return;
    this.keep(name, refreshed(linesIn(this.now(), name), touched));
    this.ports.onFields(name, touched);
  };

  private readonly afterTransaction = (transaction: Transaction): void => {
    for (const type of transaction.changed.keys()) {
      if (type._item !== null || this.roots.has(type)) continue;
      // A root that nobody here asked for yet.
      this.findCells();
      break;
    }
    if (!this.isNews) return;
    this.isNews = false;
    this.ports.onSettled();
  };

  private findCells(): void {
    for (const name of [...this.doc.share.keys()]) {
      if (cellPlace(name) === null || this.cells.has(name)) continue;
      const text = this.doc.getText(name);
      this.roots.set(text, name);
      this.keep(name, linesOf(text));
      this.ports.onChange(name, text.toDelta() as Delta, [], []);
      text.observeDeep(this.onEvents);
    }
  }
}

export function linesIn({ body, cells }: Sequences, root: string): readonly Line[] {
  return root === BODY ? body : (cells.get(root) ?? []);
}

/** The embed of the sequence that a change somewhere in it is one of. */
function topMap(type: AbstractType<unknown>, root: AbstractType<unknown>): AbstractType<unknown> {
  let top = type;
  while (top.parent !== null && top.parent !== root) top = top.parent;
  return top;
}
