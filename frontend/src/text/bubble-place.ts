// The place over a selection, for the menu that bubble.tsx draws into it. There from the beginning: a plugin that comes
// later would make the editor read the selection anew, and a selected image would no longer be. On touch screens the
// system has a menu of its own at that place, and the toolbar is within reach of the thumb.
import { Extension, type Editor } from "@tiptap/core";
import { NodeSelection, PluginKey } from "@tiptap/pm/state";
import { BubbleMenuPlugin } from "@tiptap/extension-bubble-menu";

const KEY = new PluginKey("bubble");

/** To be called when what stands in the place has changed its size. */
export function placeBubble(editor: Editor): void {
  if (!editor.isDestroyed) editor.view.dispatch(editor.state.tr.setMeta(KEY, "updatePosition"));
}

export function createBubbleHost(): HTMLElement {
  const element = document.createElement("div");
  element.className = "bubble-place";
  return element;
}

export function bubblePlace(host: HTMLElement): Extension {
  return Extension.create({
    name: "bubblePlace",
    addProseMirrorPlugins() {
      const { editor } = this;
      if (window.matchMedia("(hover: none)").matches) return [];
      return [
        BubbleMenuPlugin({
          pluginKey: KEY,
          editor,
          element: host,
          updateDelay: 150,
          appendTo: () => document.body,
          options: { strategy: "absolute", placement: "top", offset: 8, flip: { padding: 120 }, shift: { padding: 8 } },
          shouldShow: ({ view, state, from, to }) => {
            if (!editor.isEditable || !(view.hasFocus() || host.contains(document.activeElement))) return false;
            const { selection } = state;
            if (selection instanceof NodeSelection) return selection.node.type.name === "image";
            return !selection.empty && state.doc.textBetween(from, to).length > 0 && !selection.$from.parent.type.spec.code;
          },
        }),
      ];
    },
    onDestroy: () => host.remove(),
  });
}
