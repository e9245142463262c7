// From the view to the document: what was changed here is found, all of it, and then written in one step of undo.
import type { Doc, Map as YMap } from "yjs";
import { agree, changedSince, put, startOf, type Base } from "./agreed";
import { allTogether, PLACE, type Change } from "./drag";
import { sharedFields, WORDS, type BoardElement, type Fields } from "./element";
import { orderRepairs } from "./order";
import { isUnready, ownIn, readyOf } from "./own";
import type { Reading } from "./reading";
import { storedShape, unborn, writeFields } from "./stored";
import type { UnderWay } from "./under-way";
import type { ViewPort } from "./view-port";

export interface OutgoingPorts {
  readonly doc: Doc;
  readonly elements: YMap<unknown>;
  readonly view: ViewPort;
  readonly reading: Reading;
  readonly bases: Map<string, Base>;
  readonly underWay: UnderWay;
}

/** Which of the unfinished shapes are written as well. */
export interface Including {
  readonly text: boolean;
  readonly line: boolean;
}

/** What was changed here in a shape, since what both agreed on. */
interface OwnChange extends Change {
  readonly element: BoardElement;
  readonly base: Base;
}

/** What is to be written, known before any of it is. */
interface Plan {
  readonly born: readonly BoardElement[];
  /** As the view has it, which is what both agree on afterwards. */
  readonly changed: readonly OwnChange[];
  /** The same on top of what others did to these shapes meanwhile, which is what is written. */
  readonly settled: readonly OwnChange[];
  /** Shapes that stand elsewhere here than the document's `index` says. */
  readonly reordered: readonly BoardElement[];
}

export class Outgoing {
  /** Mark transactions as ours. The second kind is ours too, but no step of undo. */
  readonly step = { by: "board" };
  readonly setting = { by: "board, beside undo" };
  private readonly ports: OutgoingPorts;

  constructor(ports: OutgoingPorts) {
    this.ports = ports;
  }

  write(including: Including): void {
    const { doc, underWay } = this.ports;
    const plan = this.plan(including);
    if (plan === null) return;
    // What the view put back is shown anew, also where nothing else was changed.
    for (const { element } of plan.changed) if (underWay.startOf(element.id) !== undefined) underWay.wait(element.id);
    if (isEmpty(plan)) return this.agree(plan);
    this.bear(plan.born);
    doc.transact(() => {
      this.put(plan);
      // Before the transaction ends and its events come: they are compared with what both sides agree on now.
      this.agree(plan);
    }, this.step);
  }

  /** Shapes, and fields of shapes, that were changed here and are not written yet. */
  inHand(): ReadonlyMap<string, Fields> {
    const hand = new Map<string, Fields>();
    const { born, changed } = this.own();
    for (const element of born) hand.set(element.id, sharedFields(element));
    for (const { element, base } of changed) {
      const { fields } = this.changeOf(element, base);
      if (fields.size > 0) hand.set(element.id, Object.fromEntries(fields));
    }
    return hand;
  }

  /** `null` where nothing was changed. */
  private plan(including: Including): Plan | null {
    const { view, reading, bases } = this.ports;
    const own = this.own();
    if (own.born.length + own.changed.length === 0) return null;
    const { born, changed } = readyOf(own, this.heldBack(including), reading.isStored);
    const changes = changed.map(({ element, base }) => this.changeOf(element, base));
    const moved = changes.filter(({ fields }) => fields.has("index")).map(({ element }) => element);
    const reordered = orderRepairs(view.elements(), new Set([...born, ...moved].map(({ id }) => id)), bases).filter(({ id }) => reading.isStored(id));
    return { born, changed: changes, settled: this.settled(changes), reordered };
  }

  private own(): ReturnType<typeof ownIn> {
    const { view, reading, bases } = this.ports;
    return ownIn(view.elements(), bases, reading.isStored);
  }

  /** Shapes that are on their way, and those somebody has not finished with. */
  private heldBack({ text, line }: Including): ReadonlySet<string> {
    const { view, bases, underWay } = this.ports;
    const back = new Set(view.elements().filter((element) => !bases.has(element.id) && isUnready(element)).map(({ id }) => id));
    const { unfinished } = underWay;
    if (!text && unfinished.text !== undefined) back.add(unfinished.text);
    if (!line && unfinished.line !== undefined) back.add(unfinished.line);
    return back;
  }

  private changeOf(element: BoardElement, base: Base): OwnChange {
    const from = startOf(element, base, this.ports.underWay.startOf(element.id));
    return { element, base, from, fields: changedSince(from, element) };
  }

  /** The same changes, where others changed the place or the size of these shapes meanwhile. */
  private settled(changes: readonly OwnChange[]): readonly OwnChange[] {
    const { reading, underWay } = this.ports;
    return allTogether(changes, ({ element: { id }, from }) => {
      const theirs = reading.readStored(id);
      if (theirs !== null) for (const field of PLACE) if (!underWay.isOthers(id, field)) put(theirs, field, from[field]);
      return theirs;
    });
  }

  /**
   * Shapes are born deleted, and brought to life in the next transaction, which is the step of undo. Undoing a creation thus
   * sets a field instead of removing the key with all that others have done to the shape since; redo finds it whole.
   */
  private bear(born: readonly BoardElement[]): void {
    const { doc, elements } = this.ports;
    if (born.length === 0) return;
    doc.transact(() => {
      for (const element of born) elements.set(element.id, unborn(element));
    }, this.setting);
  }

  private put({ born, settled, reordered }: Plan): void {
    const { elements } = this.ports;
    for (const { id } of born) storedShape(elements, id)?.set("isDeleted", false);
    for (const { element, base, fields } of settled) {
      const shape = storedShape(elements, element.id);
      if (shape !== null) writeFields(shape, fields, base.fields[WORDS]);
    }
    for (const { id, index } of reordered) storedShape(elements, id)?.set("index", index);
  }

  private agree({ born, changed, reordered }: Plan): void {
    const { bases } = this.ports;
    for (const element of born) agree(bases, element, element.index);
    for (const { element, base, fields } of changed) agree(bases, element, fields.has("index") ? element.index : base.order);
    for (const { id, index } of reordered) {
      const base = bases.get(id);
      if (base) base.order = index;
    }
  }
}

/** Nothing differs by value: a shape was only touched. */
function isEmpty({ born, changed, reordered }: Plan): boolean {
  return born.length === 0 && reordered.length === 0 && changed.every(({ fields }) => fields.size === 0);
}
