// Alt ↑ and ↓ move blocks. A text opens without what does it: that is fetched with the first such key, or when the page is at
// rest.
import { Extension, type Editor } from "@tiptap/core";
import { whenAtRest } from "../ui/at-rest";
import { readyToCarry } from "./binding/moves";

const moving = () => import("./move-blocks");
whenAtRest(() => void Promise.all([moving(), readyToCarry()]).catch(() => undefined));

const byKey = (by: -1 | 1) => ({ editor }: { readonly editor: Editor }): boolean => {
  if (!editor.isEditable) return false;
  moving().then(
    ({ moveSelected }) => moveSelected(editor, by),
    () => undefined,
  );
  // Also where it does nothing: the browser would move the caret instead.
  return true;
};

export const MovingKeys = Extension.create({
  name: "movingKeys",
  addKeyboardShortcuts: () => ({ "Alt-ArrowUp": byKey(-1), "Alt-ArrowDown": byKey(1) }),
});
