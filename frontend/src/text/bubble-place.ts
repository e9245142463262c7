// The place over a selection, for the menu that bubble.tsx draws into it. On touch screens the system has a menu of its
// own at that place, and the toolbar is within reach of the thumb.
import { Extension, type Editor } from "@tiptap/core";
import { NodeSelection, PluginKey, TextSelection } from "@tiptap/pm/state";
import { linkFrom } from "./link";
import { pluginLater } from "./plugin-later";
import { whenAtRest } from "../ui/at-rest";

const menu = () => import("@tiptap/extension-bubble-menu");
whenAtRest(() => void menu().catch(() => undefined));

const KEY = new PluginKey("bubble");

/** Whether the menu of a selection is the system's own, so that what ours offers has to stand elsewhere. */
export const isTouched = (): boolean => window.matchMedia("(hover: none)").matches;

/** The address of the link that the caret stands in, without words selected; as it may be followed. */
export function linkAtCaret(editor: Editor): string | null {
  const { selection } = editor.state;
  const href: unknown = selection.empty && selection instanceof TextSelection ? editor.getAttributes("link")["href"] : null;
  return typeof href === "string" ? linkFrom(href) || null : null;
}

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
      if (isTouched()) return [];
      return [
        pluginLater(KEY, async () => {
          const { BubbleMenuPlugin } = await menu();
          return BubbleMenuPlugin({
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
              if (selection.empty) return linkAtCaret(editor) !== null;
              return state.doc.textBetween(from, to).length > 0 && !selection.$from.parent.type.spec.code;
            },
          });
        }),
      ];
    },
    onDestroy: () => host.remove(),
  });
}
