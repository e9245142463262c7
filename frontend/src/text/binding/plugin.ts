// Puts a text of the shared data into an editor: the one place where the binding meets a view.
import { Plugin, PluginKey, Selection, TextSelection, type Command, type EditorState, type PluginView, type Transaction } from "@tiptap/pm/state";
import type { StepMap } from "@tiptap/pm/transform";
import type { EditorView } from "@tiptap/pm/view";
import type { Doc } from "yjs";
import { followed, FOLLOWS, TextBinding } from "./binding";
import { shared, type SharedSelection } from "./carets";
import { createUndo, type Undo } from "./undo";

/** Steps since the beginning, the last first. What was written already is cut off behind it. */
interface Steps {
  readonly maps: readonly StepMap[];
  before: Steps | null;
}

interface Bookkeeping {
  readonly steps: Steps;
  readonly word: Word | null;
}

/** What was last composed, or is: the composition's number, and where what came of it stands. */
interface Word {
  readonly composition: number;
  readonly from: number;
  readonly to: number;
}

interface Bound {
  readonly binding: TextBinding;
  readonly undo: Undo;
  readonly shown: PluginView;
}

const key = new PluginKey<Bookkeeping>("weft:text");
const bound = new WeakMap<EditorView, Bound>();

/** The binding of a view that has one. */
export function boundTo(view: EditorView): Bound | null {
  return bound.get(view) ?? null;
}

export function bindText(doc: Doc): Plugin<Bookkeeping> {
  return new Plugin<Bookkeeping>({
    key,
    state: {
      init: (): Bookkeeping => ({ steps: { maps: [], before: null }, word: null }),
      apply: (transaction, { steps, word }): Bookkeeping => ({
        steps: transaction.docChanged && transaction.getMeta(FOLLOWS) !== true ? { maps: transaction.mapping.maps, before: steps } : steps,
        word: wordAfter(word, transaction),
      }),
    },
    view: (view) => {
      // When any plugin comes or goes, the editor ends the views of all of them and makes them anew. What was written, and can
      // be taken back, is the same as before.
      const same = bound.get(view)?.shown;
      if (same !== undefined) return same;
      const binding = new TextBinding({ doc, schema: view.state.schema });
      let selected: SharedSelection | null = null;
      const undo = createUndo({ doc, binding, caret: () => selected ?? shared(binding, view.state.selection) });
      let done: Steps | null = null;
      let completed: number | null = null;
      let news = false;

      const take = (): void => {
        news = false;
        if (view.isDestroyed) return;
        readFirst(view);
        const word = key.getState(view.state)?.word ?? null;
        if (!view.composing && word !== null && word.composition !== completed) {
          completed = word.composition;
          binding.complete(word.from, word.to);
        }
        // The line that somebody composes a word in is in the browser's hands; it waits for the end of the word.
        const transaction = binding.take(view.state, view.composing ? view.state.selection.head : null);
        if (transaction !== null) view.dispatch(transaction);
      };
      binding.onChange(() => (news = true));
      // Not within the end of the change itself: what is written there, and be it a key that had not been read, is told of later.
      const takeNews = (): void => void (news && take());
      doc.on("afterAllTransactions", takeNews);
      const settle = (): void => void setTimeout(() => !view.isDestroyed && !view.composing && take(), READ);
      view.dom.addEventListener("compositionend", settle);
      const shown: PluginView = {
        update: ({ state }, before) => {
          if (state.doc === before.doc) selected = shared(binding, state.selection);
          else {
            const steps = key.getState(state)?.steps ?? null;
            const correction = steps === done ? null : binding.write(state, { maps: since(done, steps) }, undo.written);
            if (steps !== null) steps.before = null;
            done = steps;
            selected = null;
            if (correction !== null) view.dispatch(correction);
          }
        },
        destroy: () =>
          // Only then it is known whether the editor itself has ended.
          queueMicrotask(() => {
            if (!view.isDestroyed || !bound.delete(view)) return;
            view.dom.removeEventListener("compositionend", settle);
            doc.off("afterAllTransactions", takeNews);
            undo.dispose();
            binding.dispose();
          }),
      };
      bound.set(view, { binding, undo, shown });
      fill(view, binding);
      done = key.getState(view.state)?.steps ?? null;
      return shown;
    },
  });
}

/**
 * To be called before something is shown that nobody did here. What the browser has done already, on a key that moves the
 * caret, the editor reads an event later: what is shown meanwhile would put the caret back, and the key would be lost.
 */
export function readFirst(view: EditorView): void {
  if (view.isDestroyed || view.composing) return;
  (view as unknown as { readonly domObserver: { readonly flush: () => void } }).domObserver.flush();
}

/** The editor reads what was composed some 20 ms after its end. In ms. */
const READ = 50;

/** The text takes the place of whatever the editor was made with, and the caret stands before its first letter. */
function fill(view: EditorView, binding: TextBinding): void {
  const { doc, tr: transaction } = view.state;
  if (doc.eq(binding.document)) return;
  transaction.replaceWith(0, doc.content.size, binding.document.content);
  view.dispatch(followed(transaction.setSelection(Selection.atStart(transaction.doc))));
  binding.isShownAs(view.state.doc);
}

/** A composition's number is what the editor sets on each change that it reads of one. */
function wordAfter(word: Word | null, transaction: Transaction): Word | null {
  if (!transaction.docChanged) return word;
  const { mapping } = transaction;
  const moved = word === null ? null : { ...word, from: mapping.map(word.from, 1), to: mapping.map(word.to, -1) };
  const composition: unknown = transaction.getMeta("composition");
  if (typeof composition !== "number") return moved;
  let [from, to] = moved?.composition === composition ? [moved.from, moved.to] : [Infinity, -Infinity];
  mapping.maps.forEach((map, at) => {
    const rest = mapping.slice(at + 1);
    map.forEach((_from, _to, start, end) => {
      from = Math.min(from, rest.map(start, -1));
      to = Math.max(to, rest.map(end, 1));
    });
  });
  return from < to ? { composition, from, to } : null;
}

function since(done: Steps | null, steps: Steps | null): readonly StepMap[] {
  const all: (readonly StepMap[])[] = [];
  for (let at = steps; at !== null && at !== done; at = at.before) all.unshift(at.maps);
  return all.flat();
}

/** Whether a transaction shows what the shared data has become, by others or by undo. */
export function follows(transaction: Transaction): boolean {
  return transaction.getMeta(FOLLOWS) === true;
}

export const undo: Command = turn("undo");
export const redo: Command = turn("redo");

/** Without a `dispatch` it only answers whether there is anything to do. */
function turn(what: "undo" | "redo"): Command {
  return (_state: EditorState, dispatch, view) => {
    const there = view === undefined ? null : boundTo(view);
    if (there === null || view === undefined) return false;
    const { manager } = there.undo;
    if (!dispatch) return what === "undo" ? manager.canUndo() : manager.canRedo();
    const { done, caret } = there.undo[what]();
    if (done && caret !== null) {
      const { doc, tr } = view.state;
      const selection = TextSelection.between(doc.resolve(caret.anchor), doc.resolve(caret.head));
      view.dispatch(tr.setSelection(selection).scrollIntoView());
    }
    return done;
  };
}
