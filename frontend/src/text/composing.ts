// A composition (an input method between the keys and the word) lives in one text node of the browser, and ends when the
// node is changed under it: a colleague writing in the same line would cut words in half. So while one composes, what
// others do to that very line waits: it is in the shared data, and the view is brought up to date when the word is done.
//
// The view is then behind the data, and its whole may no longer be compared with the data's: that would undo the others.
// What is composed is written letter by letter to where it belongs now (held-line.ts).
import { Extension } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
import { Plugin, type EditorState } from "@tiptap/pm/state";
import type { EditorView } from "@tiptap/pm/view";
import { type ProsemirrorBinding, relativePositionToAbsolutePosition, ySyncPluginKey } from "@tiptap/y-tiptap";
import { type AbstractType, type Transaction, UndoManager, XmlElement, XmlText, type YEvent, createDeleteSet } from "yjs";
import { rememberCaret } from "./caret-kept";
import { holdLine, type HeldLine } from "./held-line";

/** The editor reads what was composed some 20 ms after its end. In ms. */
const READ = 50;

type Events = YEvent<AbstractType<unknown>>[];

/** What the plugin of Tiptap's Yjs binding does with the two directions; its types leave them out. */
interface Binding extends ProsemirrorBinding {
  _typeChanged(events: Events, transaction: Pick<Transaction, "deleteSet" | "changed" | "changedParentTypes" | "origin">): void;
  _prosemirrorChanged(doc: Node): void;
}

/** The line being composed in: as data, and as the view has it. */
interface Held {
  readonly line: HeldLine;
  /** Where its content begins. Nothing before it moves while it is held. */
  readonly at: number;
  /** The view's document as it was last written to the data. */
  doc: Node;
  /** What waits; the last is enough to bring the view up to date. */
  waiting: Events;
}

export interface Composing {
  readonly extension: Extension;
  /** The selection in terms of the shared data, which may be ahead of the view. For whoever tells others of it. */
  readonly selection: (state: EditorState) => { readonly anchor: number; readonly head: number };
}

export function holdWhileComposing(): Composing {
  let held: Held | null = null;
  let selection: Composing["selection"] = ({ selection }) => selection;

  const plugin = new Plugin({
    view: (view) => {
      const { binding } = ySyncPluginKey.getState(view.state) as { readonly binding: Binding };
      const all = binding._observeFunction as Binding["_typeChanged"];
      const write = binding._prosemirrorChanged.bind(binding);
      let line: Held | null = null;

      // Before a change from elsewhere arrives, the view and the data are the same: the only moment to learn the letters.
      const before = (): void => {
        line = held === null && view.composing ? lineAt(view, binding) : null;
      };
      const seen = (events: Events, transaction: Parameters<Binding["_typeChanged"]>[1]): void => {
        // Letters that come and go between others the binding follows well, and undo knows where it was.
        const blocks = !view.composing && !(transaction.origin instanceof UndoManager) && !events.every(({ target }) => target instanceof XmlText);
        const keep = blocks && transaction.origin !== ySyncPluginKey ? rememberCaret(view.state) : null;
        keepingNodes(binding, events, () => all(events, transaction));
        const kept = keep?.(view.state);
        if (kept) view.dispatch(kept);
      };
      const observe = (events: Events, transaction: Transaction): void => {
        if (transaction.origin === ySyncPluginKey) return seen(events, transaction);
        if (held === null && line !== null && view.composing && touches(events, line.line.element)) held = { ...line, waiting: events };
        else if (held === null) seen(events, transaction);
        else {
          held.waiting = events;
          if (!view.composing) release();
        }
      };
      const now = ({ line, at }: Held, position: number): number => {
        if (position < at || position > at + line.length) return position;
        return relativePositionToAbsolutePosition(binding.doc, binding.type, line.place(position - at), binding.mapping) ?? position;
      };
      const release = (): void => {
        if (held === null || view.isDestroyed) return;
        const over = held;
        const { doc, selection } = view.state;
        const unwritten = changed(over.doc, doc);
        const place = (position: number): unknown => over.line.place(Math.min(Math.max(position - over.at, 0), over.line.length));
        // Without absolute positions, which are those of the view, none is guessed from them.
        binding.beforeTransactionSelection = { type: "text", depth: undefined, anchor: place(selection.anchor), head: place(selection.head), absAnchor: null, absHead: null } as never;
        held = null;
        // All nodes are made anew: any line may have changed while this one was held.
        all(over.waiting, { deleteSet: createDeleteSet(), changed: new Map(), changedParentTypes: new Map(), origin: null });
        binding.beforeTransactionSelection = null as never;
        if (unwritten === null) return;
        // More than letters of the line: done again on what the others have made of the document.
        const { size } = view.state.doc.content;
        const [from, to] = [Math.min(now(over, unwritten.from), size), Math.min(now(over, unwritten.to), size)];
        view.dispatch(view.state.tr.replaceRange(from, Math.max(from, to), doc.slice(unwritten.from, unwritten.end)));
      };
      binding._prosemirrorChanged = (doc) => {
        if (held === null) write(doc);
        // The binding hears nothing of the data while it writes; the view is brought up to date after that.
        else if (!writeHeld(held, doc)) setTimeout(release);
      };
      selection = (state) => {
        if (held === null) return state.selection;
        return { anchor: now(held, state.selection.anchor), head: now(held, state.selection.head) };
      };

      binding.type.unobserveDeep(all as never);
      binding._observeFunction = observe;
      binding.type.observeDeep(observe as never);
      binding.doc.on("beforeAllTransactions", before);
      releaseNow = release;
      return {
        destroy: () => {
          held = null;
          binding.doc.off("beforeAllTransactions", before);
        },
      };
    },
    props: {
      handleDOMEvents: {
        compositionend: (view) => {
          setTimeout(() => settle(view), READ);
          return false;
        },
        // Whoever is quicker than that meets the document as it is.
        keydown: settle,
        beforeinput: settle,
        mousedown: settle,
        paste: settle,
        drop: settle,
        focusout: settle,
      },
    },
  });
  let releaseNow: () => void = () => undefined;
  function settle(view: EditorView): false {
    if (held !== null && !view.composing) releaseNow();
    return false;
  }

  return {
    // After the binding's own plugin, whose two directions it takes over.
    extension: Extension.create({ name: "composing", priority: 998, addProseMirrorPlugins: () => [plugin] }),
    selection: (state) => selection(state),
  };
}

/**
 * The binding forgets all its nodes with every change from elsewhere and makes them anew: 5,000 paragraphs for one letter.
 * It needs that where blocks moved. Where only letters did, it forgets those of the changed lines first, and the rest
 * are the same nodes, which the editor passes over.
 */
function keepingNodes({ mapping }: Binding, events: Events, run: () => void): void {
  if (events.length === 0 || !events.every(({ target }) => target instanceof XmlText)) return run();
  mapping.clear = () => undefined;
  try {
    run();
  } finally {
    // The map's own again.
    Reflect.deleteProperty(mapping, "clear");
  }
}

/** The line of the caret, if the data has it as the view does. */
function lineAt(view: EditorView, binding: Binding): Held | null {
  const { $from, $to } = view.state.selection;
  if (!$from.sameParent($to) || !$from.parent.inlineContent) return null;
  let element: XmlElement | null = null;
  for (let depth = 0; depth < $from.depth; depth++) {
    const child: unknown = (element ?? binding.type).get($from.index(depth));
    if (!(child instanceof XmlElement)) return null;
    element = child as XmlElement;
  }
  if (element === null || element.nodeName !== $from.parent.type.name) return null;
  const line = holdLine(element);
  if (line === null || line.length !== $from.parent.content.size) return null;
  return { line, at: $from.start(), doc: view.state.doc, waiting: [] };
}

/** Whether a change is one of the line, as long as there is a line. */
function touches(events: Events, element: XmlElement): boolean {
  if (element._item?.deleted !== false) return false;
  return events.some(({ target }) => {
    for (let type: AbstractType<unknown> | null = target; type !== null; type = type.parent) if (type === element) return true;
    return false;
  });
}

/** Writes what changed in the view's line to the data. False if it is more than letters of the line. */
function writeHeld(held: Held, doc: Node): boolean {
  const change = changed(held.doc, doc);
  if (change !== null) {
    const [from, to] = [change.from - held.at, change.to - held.at];
    if (from < 0 || to > held.line.length) return false;
    const { content, openStart, openEnd } = doc.slice(change.from, change.end);
    let text = openStart + openEnd === 0 ? "" : null;
    content.forEach((node) => (text = node.isText && text !== null ? text + (node.text ?? "") : null));
    if (text === null || !held.line.replace(from, to, text)) return false;
  }
  held.doc = doc;
  return true;
}

/** The one place in which two documents differ: from `from` to `to` in the old one, to `end` in the new one. */
function changed(before: Node, after: Node): { readonly from: number; readonly to: number; readonly end: number } | null {
  const from = before.content.findDiffStart(after.content);
  const ends = before.content.findDiffEnd(after.content);
  if (from === null || ends === null) return null;
  const overlap = Math.max(0, from - Math.min(ends.a, ends.b));
  return { from, to: ends.a + overlap, end: ends.b + overlap };
}
