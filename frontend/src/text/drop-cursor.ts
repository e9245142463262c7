// What goes on while something is dragged (dragging.ts). It is fetched when something is dragged over the text.
import { Extension } from "@tiptap/core";
import { Plugin, type PluginView } from "@tiptap/pm/state";

export const DropCursor = Extension.create({
  name: "dropCursor",
  addProseMirrorPlugins() {
    const { editor } = this;
    return [
      new Plugin({
        view: (view) => {
          let shown: PluginView | null = null;
          let ended = false;
          const bring = (): void => {
            import("./dragging").then(
              ({ whileDragged }) => {
                if (!ended) shown ??= whileDragged(editor);
              },
              () => view.dom.addEventListener("dragenter", bring, { once: true }),
            );
          };
          view.dom.addEventListener("dragenter", bring, { once: true });
          return {
            update: (...how) => shown?.update?.(...how),
            destroy: () => {
              ended = true;
              view.dom.removeEventListener("dragenter", bring);
              shown?.destroy?.();
            },
          };
        },
      }),
    ];
  },
});
