// The caret of a text that was just opened. The binding fills the editor when it is mounted and then puts the caret at
// the same number as before, which lies between a list and its first item if the text begins with one: no place for a
// caret, and the editor says so. It belongs before the first letter.
import { Extension } from "@tiptap/core";
import { Plugin, Selection } from "@tiptap/pm/state";
import { type ProsemirrorBinding, ySyncPluginKey } from "@tiptap/y-tiptap";

/** What the plugin of Tiptap's Yjs binding does once, when it is mounted; its types leave it out. */
interface Binding extends ProsemirrorBinding {
  _forceRerender(): void;
}

export const FirstCaret = Extension.create({
  name: "firstCaret",
  // Before the binding's own plugin is mounted.
  priority: 1_001,
  addProseMirrorPlugins: () => [
    new Plugin({
      view: (view) => {
        const { binding } = ySyncPluginKey.getState(view.state) as { readonly binding: Binding };
        const fill = binding._forceRerender.bind(binding);
        binding._forceRerender = () => {
          // What counts as a selection to be restored later is not restored here.
          binding.beforeTransactionSelection = {} as never;
          fill();
          binding.beforeTransactionSelection = null as never;
          const first = Selection.atStart(view.state.doc);
          if (!first.eq(view.state.selection)) view.dispatch(view.state.tr.setSelection(first).setMeta("addToHistory", false));
        };
        return {};
      },
    }),
  ],
});
