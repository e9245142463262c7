// Tab belongs to lists, tables and code. Escape gives the next one back to the page, so that nobody is caught in the text.
import { Extension } from "@tiptap/core";
import { Plugin } from "@tiptap/pm/state";

export const Leaving = Extension.create({
  name: "leaving",
  // Before whoever takes the key.
  priority: 1_100,
  addProseMirrorPlugins() {
    let leaving = false;
    return [
      new Plugin({
        props: {
          handleDOMEvents: {
            keydown: (_view, event) => {
              const leaves = leaving && event.key === "Tab" && !event.isComposing;
              if (event.key !== "Shift") leaving = event.key === "Escape";
              // Told that it was seen to, the editor leaves the key to the browser.
              return leaves;
            },
            blur: () => (leaving = false),
          },
        },
      }),
    ];
  },
});
