// Where the others are in a plain text, and where we are for them. The awareness field `cursor` has the shape that
// y-codemirror.next reads and writes; its own drawing is not used because it puts colours from strangers into styles.
import { Annotation, type Extension, type Range } from "@codemirror/state";
import { Decoration, ViewPlugin, WidgetType, type DecorationSet, type EditorView, type ViewUpdate } from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import {
  compareRelativePositions,
  createAbsolutePositionFromRelativePosition,
  createRelativePositionFromJSON,
  createRelativePositionFromTypeIndex,
  type RelativePosition,
  type Text,
} from "yjs";
import { drawCaret, turnCaret } from "../presence/caret";
import { personOf } from "../presence/people";

export interface CaretsPorts {
  readonly text: Text;
  readonly awareness: Awareness;
  /** The word for somebody who announced no name. */
  readonly nameless: () => string;
}

/** Says that only the others moved, so that a view update is due although nothing of ours changed. */
const moved = Annotation.define<true>();

export function carets(ports: CaretsPorts): Extension {
  return ViewPlugin.define((view) => new Carets(view, ports), { decorations: (plugin) => plugin.decorations });
}

/** Where somebody's caret stands, as an index into the text. */
export function placeOf({ text, awareness }: CaretsPorts, client: number): number | null {
  const cursor = cursorOf(awareness, client);
  return cursor === null ? null : indexIn(text, cursor.head);
}

class Carets {
  decorations: DecorationSet = Decoration.none;

  constructor(
    private readonly view: EditorView,
    private readonly ports: CaretsPorts,
  ) {
    ports.awareness.on("change", this.onChange);
    this.decorations = this.draw();
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.announce(update);
    if (update.docChanged || update.transactions.some((transaction) => transaction.annotation(moved))) this.decorations = this.draw();
  }

  destroy(): void {
    this.ports.awareness.off("change", this.onChange);
  }

  private readonly onChange = (change: { added: number[]; updated: number[]; removed: number[] }): void => {
    const others = [...change.added, ...change.updated, ...change.removed].some((client) => client !== this.ports.awareness.clientID);
    if (others) this.view.dispatch({ annotations: moved.of(true) });
  };

  private announce({ view, state }: ViewUpdate): void {
    const { awareness, text } = this.ports;
    if (awareness.getLocalState() === null || !view.hasFocus) return;
    const { anchor, head } = state.selection.main;
    const next = { anchor: createRelativePositionFromTypeIndex(text, anchor), head: createRelativePositionFromTypeIndex(text, head) };
    const before = cursorOf(awareness, awareness.clientID);
    if (before && compareRelativePositions(before.anchor, next.anchor) && compareRelativePositions(before.head, next.head)) return;
    // An update of the view must not cause another one at once.
    queueMicrotask(() => awareness.setLocalStateField("cursor", next));
  }

  private draw(): DecorationSet {
    const { awareness, text, nameless } = this.ports;
    const ranges: Range<Decoration>[] = [];
    const longest = this.view.state.doc.length;
    for (const [client, state] of awareness.getStates()) {
      const cursor = client === awareness.clientID ? null : cursorOf(awareness, client);
      if (cursor === null) continue;
      const [anchor, head] = [indexIn(text, cursor.anchor), indexIn(text, cursor.head)];
      // The text may be a step ahead of the view, or behind it.
      if (anchor === null || head === null || anchor > longest || head > longest) continue;
      const { name, colour } = personOf(client, state["user"]);
      if (anchor !== head) {
        const selected = Decoration.mark({ class: "caret-selection", attributes: { style: `--caret: ${colour}` } });
        ranges.push(selected.range(Math.min(anchor, head), Math.max(anchor, head)));
      }
      const widget = new CaretWidget(client, name || nameless(), colour, JSON.stringify(cursor.head));
      ranges.push(Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head));
    }
    return Decoration.set(ranges, true);
  }
}

class CaretWidget extends WidgetType {
  constructor(
    private readonly client: number,
    private readonly name: string,
    private readonly colour: string,
    /** The place in the shared text: a caret that moved is drawn anew, and its name fades in again. */
    private readonly place: string,
  ) {
    super();
  }

  override eq(other: CaretWidget): boolean {
    return other.client === this.client && other.name === this.name && other.colour === this.colour && other.place === this.place;
  }

  override toDOM(view: EditorView): HTMLElement {
    const caret = drawCaret(this.client, { name: this.name, colour: this.colour });
    requestAnimationFrame(() => turnCaret(caret, view.contentDOM));
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

/** What somebody says about their caret, if it can be read at all. */
function cursorOf(awareness: Awareness, client: number): { readonly anchor: RelativePosition; readonly head: RelativePosition } | null {
  const cursor: unknown = awareness.getStates().get(client)?.["cursor"];
  if (typeof cursor !== "object" || cursor === null || !("anchor" in cursor) || !("head" in cursor)) return null;
  try {
    return { anchor: createRelativePositionFromJSON(cursor.anchor), head: createRelativePositionFromJSON(cursor.head) };
  } catch {
    return null;
  }
}

function indexIn(text: Text, position: RelativePosition): number | null {
  const { doc } = text;
  if (doc === null) return null;
  try {
    const found = createAbsolutePositionFromRelativePosition(position, doc);
    return found?.type === text ? found.index : null;
  } catch {
    return null; // a stranger's position that fits no document
  }
}
