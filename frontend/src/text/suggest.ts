// Menus at the caret: "/" offers blocks, "@" offers the people inside. The plugin (suggest-menu.ts) finds and replaces what was
// typed, and is fetched when somebody is about to write; what is offered is drawn by suggest-popup.tsx.
import { Extension } from "@tiptap/core";
import { PluginKey } from "@tiptap/pm/state";
import { whenAtRest } from "../ui/at-rest";
import { pluginLater } from "./plugin-later";
import type { SuggestSource, SuggestStore } from "./suggest-store";

const menu = () => import("./suggest-menu");
whenAtRest(() => void menu().catch(() => undefined));

export function suggest(store: SuggestStore, sources: readonly SuggestSource[]): Extension {
  return Extension.create({
    name: "suggest",
    addProseMirrorPlugins() {
      return sources.map((source) => {
        const key = new PluginKey(`suggest ${source.char}`);
        return pluginLater(key, () => Promise.all([menu(), source.prepare?.()]).then(([{ menuAtCaret }]) => menuAtCaret(this.editor, key, store, source)));
      });
    },
  });
}
