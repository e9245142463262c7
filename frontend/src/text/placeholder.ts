// Words in an empty line that say what can be done there, for the one who has the caret in it.
import { Extension } from "@tiptap/core";
import { Plugin } from "@tiptap/pm/state";
import { Decoration, DecorationSet } from "@tiptap/pm/view";

export function placeholder(words: () => string): Extension {
  return Extension.create({
    name: "placeholder",
    addProseMirrorPlugins() {
      const { editor } = this;
      return [
        new Plugin({
          props: {
            decorations: ({ doc, selection }) => {
              const { $anchor } = selection;
              if (!editor.isEditable || $anchor.depth !== 1 || !$anchor.parent.isTextblock || $anchor.parent.content.size > 0) return null;
              const only = doc.childCount === 1 ? " is-editor-empty" : "";
              return DecorationSet.create(doc, [Decoration.node($anchor.before(), $anchor.after(), { class: `is-empty${only}`, "data-placeholder": words() })]);
            },
          },
        }),
      ];
    },
  });
}
