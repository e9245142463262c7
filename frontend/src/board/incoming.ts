// From the document to the view: what others changed is merged into the view's shapes, and what the view then does to them
// is told apart from what somebody changes.
import { agree, isClean, newsOf, put, type Base } from "./agreed";
import { sharedFields, WORDS, type BoardElement, type Fields } from "./element";
import { byOrder } from "./order";
import type { Reading } from "./reading";
import type { UnderWay } from "./under-way";
import type { ViewPort } from "./view-port";

export interface IncomingPorts {
  readonly view: ViewPort;
  readonly reading: Reading;
  readonly bases: Map<string, Base>;
  readonly underWay: UnderWay;
  readonly nonce: () => number;
}

export class Incoming {
  private readonly ports: IncomingPorts;
  /** The view is being shown something: what it changes meanwhile is no change of anybody's. */
  showing = false;
  /** What others wrote into the text in which the caret is, until it is put there. */
  private retyped: { readonly id: string; readonly theirs: string; readonly words: string } | null = null;

  constructor(ports: IncomingPorts) {
    this.ports = ports;
  }

  /** Shows what the document now says of these shapes, and of those they are tied to. */
  take(touched: Iterable<string>): void {
    const { view, reading, bases } = this.ports;
    const incoming = reading.readAnew(touched);
    // Also while it is called by the view that it shows something to.
    if (incoming.size === 0) return;
    this.retyped = null;
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
      const merged = this.merged(element, fields);
      if (merged !== null) next.push(merged);
      if (merged !== element) differs = true;
      // The view may have mended its `index` to the very one that the document now says; the others' places differ all the same.
      if (merged?.index !== element.index || bases.get(element.id)?.order !== order) unordered = true;
    }
    for (const [id, fields] of incoming) {
      // What is deleted already was never here; there is nothing to take away.
      if (fields === null || fields["isDeleted"] === true) continue;
      next.push(this.added(id, fields));
      [differs, unordered] = [true, true];
    }
    if (unordered) next.sort(byOrder(bases));
    if (differs || unordered) this.show(next);
    this.retype();
  }

  /** The view's copy with what changed elsewhere; the same object if nothing did; `null` if it goes without a trace. */
  private merged(element: BoardElement, fields: Fields | null): BoardElement | null {
    const { reading, bases, underWay } = this.ports;
    const { id } = element;
    // Made here, and held back so far.
    if (fields === null && !bases.has(id)) return element;
    // The view brought a shape that the document knows from elsewhere: the document is right about all of it.
    const base = bases.get(id) ?? agree(bases, element, element.index);
    if (fields === null && base.phantom) {
      bases.delete(id);
      return null;
    }
    // What is in another's hand is not ours to change: whatever the view did to it does not count.
    if (base.phantom && !isClean(element, base)) base.fields = sharedFields(element);
    const clean = base.phantom || isClean(element, base);
    if (clean) underWay.noteStart(id, base.fields);
    const doing = { clean, held: underWay.held, writing: underWay.unfinished.text === id, words: reading.sharedWords(id) };
    const news = newsOf(element, base, fields ?? { ...base.fields, index: base.order, isDeleted: true }, doing);
    for (const [field, value] of Object.entries(news.agreed)) put(base.fields, field, value);
    base.order = news.order;
    if (news.waits) underWay.wait(id);
    if (news.retyped !== null) this.retyped = { id, ...news.retyped };
    if (fields !== null) base.phantom = !reading.isStored(id);
    const merged = this.withNews(element, news.shown);
    if (clean && merged !== element) [base.version, base.versionNonce] = [merged.version, merged.versionNonce];
    return merged;
  }

  private withNews(element: BoardElement, news: Fields): BoardElement {
    const changes = Object.entries(news);
    if (changes.length === 0) return element;
    const merged: Record<string, unknown> = { ...element };
    for (const [field, value] of changes) put(merged, field, value);
    return { ...(merged as BoardElement), version: element.version + 1, versionNonce: this.ports.nonce() };
  }

  /** A shape that the view does not have yet. */
  private added(id: string, fields: Record<string, unknown>): BoardElement {
    const { reading, bases, nonce } = this.ports;
    const version = { version: 1, versionNonce: nonce() };
    bases.set(id, { fields, order: fields["index"], phantom: !reading.isStored(id), ...version });
    const local = fields["type"] === "image" ? { status: "saved" } : {};
    return { ...fields, ...local, id, updated: Date.now(), ...version } as unknown as BoardElement;
  }

  /** Hands the view its shapes, and accepts what it does to their `index`. */
  private show(next: readonly BoardElement[]): void {
    const { view, bases } = this.ports;
    const dirty = new Set<string>();
    const moved = new Set<string>();
    for (const element of next) {
      const base = bases.get(element.id);
      if (base === undefined || isClean(element, base)) continue;
      dirty.add(element.id);
      if (element.index !== base.fields["index"]) moved.add(element.id);
    }
    this.showing = true;
    try {
      view.show(next);
    } finally {
      this.showing = false;
    }
    for (const element of view.elements()) {
      const base = bases.get(element.id);
      if (base === undefined) continue;
      if (!moved.has(element.id)) base.fields["index"] = element.index;
      if (!dirty.has(element.id)) [base.version, base.versionNonce] = [element.version, element.versionNonce];
    }
  }

  private retype(): void {
    const { view, bases } = this.ports;
    const base = this.retyped && bases.get(this.retyped.id);
    if (this.retyped === null || !base) return;
    const { id, theirs, words } = this.retyped;
    const before = base.fields[WORDS];
    this.retyped = null;
    // Before the view reports the change: what is ours of it is the rest.
    base.fields[WORDS] = theirs;
    if (view.retype?.(id, words) !== true) base.fields[WORDS] = before;
  }
}
