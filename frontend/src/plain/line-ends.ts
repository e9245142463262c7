// Lines that another program ended with a carriage return before the line feed. The shared text counts both signs, so the
// editor must too: by itself CodeMirror makes one position of them, and whatever is typed after such a line lands a letter
// too early. The return is kept where it stands, is not seen, and no caret comes between it and its line feed.
import { EditorSelection, EditorState, RangeSet, RangeValue, type Extension, type Range, type SelectionRange, type Text } from "@codemirror/state";
import { Decoration, EditorView, MatchDecorator, ViewPlugin, highlightSpecialChars, type DecorationSet, type ViewUpdate } from "@codemirror/view";

export function lineEnds(): Extension {
  return [
    EditorState.lineSeparator.of("\n"),
    // What comes from a clipboard or another window gets the ends that are written here.
    EditorView.clipboardInputFilter.of((text) => text.replace(/\r\n?/g, "\n")),
    EditorState.transactionFilter.of((transaction) => {
      if (!transaction.docChanged && transaction.selection === undefined) return transaction;
      const { newDoc, newSelection } = transaction;
      if (!newSelection.ranges.some(({ anchor, head }) => isBetween(newDoc, anchor) || isBetween(newDoc, head))) return transaction;
      const selection = EditorSelection.create(
        newSelection.ranges.map((range) => outside(newDoc, range)),
        newSelection.mainIndex,
      );
      return [transaction, { selection, sequential: true }];
    }),
    hidden,
    // One that stands alone ends no line; like every other sign without a shape it is drawn as a sign.
    highlightSpecialChars({ specialChars: SHAPELESS }),
  ];
}

// CodeMirror's own list, but for the return at the end of a line.
const SHAPELESS = /\r(?!$)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202d\u202e\u2066\u2067\u2069\ufeff\ufff9-\ufffc]/gu;

const isBetween = (doc: Text, at: number): boolean => at > 0 && at < doc.length && doc.sliceString(at - 1, at + 1) === "\r\n";

function outside(doc: Text, range: SelectionRange): SelectionRange {
  const before = (at: number): number => (isBetween(doc, at) ? at - 1 : at);
  const { anchor, head, assoc, bidiLevel, goalColumn } = range;
  return range.empty ? EditorSelection.cursor(before(head), assoc, bidiLevel ?? undefined, goalColumn) : EditorSelection.range(before(anchor), before(head), goalColumn, bidiLevel ?? undefined);
}

const matcher = new MatchDecorator({ regexp: /\r$/g, decoration: Decoration.replace({}) });

class Hidden {
  decorations: DecorationSet;

  constructor(view: EditorView) {
    this.decorations = matcher.createDeco(view);
  }

  update(update: ViewUpdate): void {
    this.decorations = matcher.updateDeco(update, this.decorations);
  }
}

class Whole extends RangeValue {}

/** Moving and deleting take the return and its line feed as the one end that they are. */
const hidden = ViewPlugin.fromClass(Hidden, {
  decorations: (plugin) => plugin.decorations,
  provide: (plugin) =>
    EditorView.atomicRanges.of((view) => {
      const ends: Range<RangeValue>[] = [];
      view.plugin(plugin)?.decorations.between(0, view.state.doc.length, (from, to) => {
        if (to < view.state.doc.length) ends.push(new Whole().range(from, to + 1));
      });
      return RangeSet.of(ends);
    }),
});
