// The place where something belongs that is not ready yet: what was selected then, wherever it is now.
import type { Editor, EditorEvents } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
import { AllSelection, type Selection, TextSelection, type Transaction } from "@tiptap/pm/state";
import type { Mapping } from "@tiptap/pm/transform";
import { follows } from "./binding/plugin";

/** What has to be known for that (paste.ts). */
export interface Held {
  readonly selection: Selection;
  /** All transactions since. */
  readonly since: readonly Transaction[];
  /** Larger than that of every place that was held before. */
  readonly number: number;
}

interface Place {
  /** `behind`: where something is put in at it, it comes behind that. */
  readonly map: (mapping: Mapping, behind?: boolean) => Place;
  readonly resolve: (doc: Node) => Selection;
}

/** Which held place something was put in for. */
const putFor = new WeakMap<Transaction, number>();

/**
 * Does something with the place selected. What one has selected by then, if that is something else, is so again afterwards.
 * Answers whether it was done: not on a page that has ended, or that may only be read.
 */
export async function putAt(editor: Editor, held: Held, put: () => void): Promise<boolean> {
  // A word that is being composed would end with what is selected.
  while (!editor.isDestroyed && editor.view.composing) await new Promise((done) => editor.view.dom.addEventListener("compositionend", () => setTimeout(done, READ), { once: true }));
  if (editor.isDestroyed || !editor.isEditable) return false;
  const { view } = editor;
  const place = placeOf(held)?.resolve(view.state.doc) ?? view.state.selection;
  const own: { place: Place } | null = place.eq(view.state.selection) ? null : { place: view.state.selection.getBookmark() };
  const follow = ({ transaction, appendedTransactions }: EditorEvents["transaction"]): void => {
    for (const one of [transaction, ...appendedTransactions]) {
      putFor.set(one, held.number);
      if (own !== null) own.place = own.place.map(one.mapping);
    }
  };
  editor.on("transaction", follow);
  try {
    if (own !== null) view.dispatch(view.state.tr.setSelection(place));
    put();
    if (own !== null) view.dispatch(view.state.tr.setSelection(own.place.resolve(view.state.doc)).scrollIntoView());
  } finally {
    editor.off("transaction", follow);
  }
  return true;
}

/** The editor reads what was composed some 20 ms after its end. In ms. */
const READ = 50;

/** `null` as long as it is what is selected: whatever others write, that is kept best. */
function placeOf({ selection: first, since, number }: Held): Place | null {
  let [place, selection]: [Place | null, Selection] = [null, first];
  for (const one of since) {
    // What was held before this comes before it.
    const behind = (putFor.get(one) ?? number) < number;
    if (place === null && !behind && !follows(one) && (one.docChanged || one.selectionSet)) place = selection instanceof TextSelection || selection instanceof AllSelection ? between(TextSelection.between(selection.$from, selection.$to)) : selection.getBookmark();
    place = place?.map(one.mapping, behind) ?? null;
    ({ selection } = one);
  }
  return place;
}

/** What is written at its ends meanwhile stays outside; what is written instead of it, behind. */
function between({ from, to }: { readonly from: number; readonly to: number }): Place {
  return {
    map: (mapping, behind = false) => {
      if (from === to) return between(at(mapping.map(from, behind ? 1 : -1)));
      const [start, end] = [mapping.mapResult(from, 1), mapping.mapResult(to, -1)];
      return start.deletedAfter && end.deletedBefore ? between(at(mapping.map(from, -1))) : between({ from: start.pos, to: Math.max(start.pos, end.pos) });
    },
    resolve: (doc) => TextSelection.between(doc.resolve(from), doc.resolve(to)),
  };
}

const at = (position: number): { readonly from: number; readonly to: number } => ({ from: position, to: position });
