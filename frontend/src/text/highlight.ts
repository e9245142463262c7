// Colours in code blocks. The grammars weigh more than the rest of the page's text handling, so they are fetched with
// the first code block that names a language.
import { Extension } from "@tiptap/core";
import { createHighlightPlugin, type Parser } from "prosemirror-highlight";

let parser: Parser | null = null;
let fetching: Promise<void> | null = null;

async function fetchParser(): Promise<void> {
  try {
    parser = (await import("./highlight-parser")).parse;
  } catch {
    parser = () => []; // without a network, code without colours
  }
}

export const Highlight = Extension.create({
  name: "highlight",
  addProseMirrorPlugins: () => [
    createHighlightPlugin({
      nodeTypes: ["codeBlock"],
      languageExtractor: (node) => (typeof node.attrs["language"] === "string" ? node.attrs["language"] : undefined),
      parser: (options) => {
        if (!options.language) return [];
        if (parser !== null) return parser(options);
        return (fetching ??= fetchParser());
      },
    }),
  ],
});
