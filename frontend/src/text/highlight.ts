// Colours in code blocks. The grammars weigh more than the rest of the page's text handling, so they are fetched with
// the first code block that names a language.
import { Extension } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
import { type Plugin, PluginKey } from "@tiptap/pm/state";
import { pluginLater } from "./plugin-later";

const key = new PluginKey<unknown>("weft:code-colours");

export const Highlight = Extension.create({
  name: "codeColours",
  addProseMirrorPlugins: () => [pluginLater(key, load, namesLanguage)],
});

/** Where it cannot be fetched, without a network, code has no colours. */
async function load(): Promise<Plugin<unknown>> {
  const [{ createHighlightPlugin }, { parse }] = await Promise.all([import("prosemirror-highlight"), import("./highlight-parser")]);
  const plugin = createHighlightPlugin({ nodeTypes: ["codeBlock"], languageExtractor, parser: (options) => (options.language ? parse(options) : []) });
  // It makes a key of its own, and is asked for its state by this one.
  return Object.assign(plugin, { key: (key as unknown as { readonly key: string }).key }) as unknown as Plugin<unknown>;
}

const languageExtractor = ({ attrs }: Node): string | undefined => (typeof attrs["language"] === "string" ? attrs["language"] : undefined);

function namesLanguage(doc: Node): boolean {
  let found = false;
  doc.descendants((node) => {
    found ||= node.type.name === "codeBlock" && languageExtractor(node) !== undefined;
    return !found && !node.isTextblock;
  });
  return found;
}
