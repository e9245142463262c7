// Ctrl/⌘ Home and End lead to the first place for a caret and to the last. Left to the browser they stop before a table,
// a picture or a line across that begins or ends the text.
import { Extension } from "@tiptap/core";
import { type Command, Selection, TextSelection } from "@tiptap/pm/state";

export const Ends = Extension.create({
  name: "ends",
  addKeyboardShortcuts() {
    const key = (command: Command) => () => command(this.editor.state, this.editor.view.dispatch);
    return {
      "Mod-Home": key(to("start", false)),
      "Mod-End": key(to("end", false)),
      "Mod-Shift-Home": key(to("start", true)),
      "Mod-Shift-End": key(to("end", true)),
    };
  },
});

function to(end: "start" | "end", extend: boolean): Command {
  return ({ doc, selection, tr }, dispatch) => {
    const last = end === "start" ? Selection.atStart(doc) : Selection.atEnd(doc);
    const there = extend ? TextSelection.between(selection.$anchor, last.$head) : last;
    dispatch?.(tr.setSelection(there).scrollIntoView());
    return true;
  };
}
