// A caret where no letter can stand: before a table that begins a text, between two. It is fetched when somebody is about to
// write, and has its place among the plugins from the beginning.
import { Extension } from "@tiptap/core";
import { Plugin } from "@tiptap/pm/state";
import type { EditorProps } from "@tiptap/pm/view";

export const GapCursor = Extension.create({
  name: "gapCursor",
  addProseMirrorPlugins: () => {
    let real: (EditorProps & ThisType<Plugin>) | null = null;
    const plugin: Plugin = new Plugin({
      props: {
        decorations: (state) => real?.decorations?.call(plugin, state),
        createSelectionBetween: (...between) => real?.createSelectionBetween?.call(plugin, ...between) ?? null,
        handleClick: (...click) => real?.handleClick?.call(plugin, ...click) ?? false,
        handleKeyDown: (...key) => real?.handleKeyDown?.call(plugin, ...key) ?? false,
        handleDOMEvents: { beforeinput: (...input): boolean => Boolean(real?.handleDOMEvents?.beforeinput?.call(plugin, ...input)) },
      },
      view: ({ dom }) => {
        const bring = (): void => {
          import("@tiptap/pm/gapcursor").then(
            ({ gapCursor }) => (real = gapCursor().props),
            () => dom.addEventListener("focus", bring, { once: true }),
          );
        };
        dom.addEventListener("focus", bring, { once: true });
        return { destroy: () => dom.removeEventListener("focus", bring) };
      },
    });
    return [plugin];
  },
});
