// What somebody here is in the middle of, and what waits for the end of it. It decides what may be written of the view and
// what may be shown of the document; that both happen is the affair of others (outgoing.ts, incoming.ts).
import type { Fields } from "./element";

/** Shapes somebody here is in the middle of, besides what the pointer holds. */
export interface Unfinished {
  /** A text with the caret in it. Written on a pause. */
  readonly text?: string;
  /** A line that is placed click by click. Written when it is done. */
  readonly line?: string;
}

export class UnderWay {
  /** The pointer is down. */
  held = false;
  unfinished: Unfinished = {};
  /** Shapes whose changes from elsewhere wait until the caret has left them, or the pointer that drags them. */
  private readonly waiting = new Set<string>();
  /** What shapes were when the pointer went down, if others changed them since then: a drag of theirs counts from there. */
  private readonly began = new Map<string, Fields>();
  /** What others wrote since then, by shape: what they merely hold may come to nothing. */
  private readonly meanwhile = new Map<string, Set<string>>();

  hold(): void {
    this.forgetDrag();
    this.held = true;
  }

  /** The pointer has come up, and what it did is written. Answers what waited for it. */
  letGo(): readonly string[] {
    this.forgetDrag();
    const waited = [...this.waiting];
    this.waiting.clear();
    return waited;
  }

  /** The caret has left a text, or what was in hand is written. Answers what waited for that. */
  catchUp(): readonly string[] {
    const waited = [...this.waiting].filter((id) => id !== this.unfinished.text);
    for (const id of waited) this.waiting.delete(id);
    return waited;
  }

  /** What others did to a shape is not shown, or not all of it, before this is over. */
  wait(id: string): void {
    this.waiting.add(id);
  }

  /** Others change a shape that was not changed here: it may be dragged yet, and from where it was when the pointer went down. */
  noteStart(id: string, fields: Fields): void {
    if (this.held && !this.began.has(id)) this.began.set(id, { ...fields });
  }

  /** What a shape was when the pointer went down, if others changed it since then. */
  startOf(id: string): Fields | undefined {
    return this.began.get(id);
  }

  /** Others wrote these fields of shapes. */
  othersWrote(written: ReadonlyMap<string, ReadonlySet<string>>): void {
    if (!this.held) return;
    for (const [id, fields] of written) this.meanwhile.set(id, new Set([...(this.meanwhile.get(id) ?? []), ...fields]));
  }

  /** Whether others wrote this field since the pointer went down. */
  isOthers(id: string, field: string): boolean {
    return this.meanwhile.get(id)?.has(field) === true;
  }

  private forgetDrag(): void {
    this.began.clear();
    this.meanwhile.clear();
  }
}
