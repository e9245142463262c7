// Headings under a title. The page's one h1 is the document's title, so the document's own first level is shown as h2;
// in the data it stays level 1, as every other Tiptap client writes and reads it.
import { Heading } from "@tiptap/extension-heading";
import { mergeAttributes } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
import { Plugin } from "@tiptap/pm/state";
import { Decoration, DecorationSet } from "@tiptap/pm/view";

/** The toolbar offers three; more come with imported files and other clients. */
const LEVELS = [1, 2, 3, 4, 5, 6] as const;

const tagOf = (level: number): string => `h${Math.min(level + 1, 6)}`;

export const TitledHeading = Heading.extend({
  parseHTML() {
    return [
      // What we ourselves put on the clipboard says its level; foreign HTML says it by the tag.
      ...LEVELS.map((level) => ({ tag: `${tagOf(level)}[data-level="${level}"]`, attrs: { level }, priority: 60 })),
      ...LEVELS.map((level) => ({ tag: `h${level}`, attrs: { level } })),
    ];
  },
  renderHTML({ node, HTMLAttributes }) {
    const stored: unknown = node.attrs["level"];
    const level = LEVELS.find((known) => known === stored) ?? (typeof stored === "number" && stored > 6 ? 6 : 1);
    return [tagOf(level), mergeAttributes(HTMLAttributes, { "data-level": level }), 0];
  },
  addProseMirrorPlugins() {
    const plugin: Plugin<DecorationSet> = new Plugin({
      state: {
        init: (_, { doc }) => inOrder(doc),
        apply: (transaction, before) => (transaction.docChanged ? inOrder(transaction.doc) : before),
      },
      props: { decorations: (state) => plugin.getState(state) },
    });
    return [...(this.parent?.() ?? []), plugin];
  },
}).configure({ levels: [...LEVELS] });

/**
 * Who hears the headings goes down them one step at a time. A text that leaves a level out, as one does whose first line
 * became the title, says its steps so; the data and the look stay what they are.
 */
function inOrder(doc: Node): DecorationSet {
  const steps: Decoration[] = [];
  let last = 1;
  doc.descendants((node, position) => {
    if (node.type.name === "heading") {
      const own = Math.min(Number(node.attrs["level"]) + 1, 6);
      const step = Math.min(own, last + 1);
      if (step !== own) steps.push(Decoration.node(position, position + node.nodeSize, { "aria-level": String(step) }));
      last = step;
    }
    return !node.isTextblock;
  });
  return steps.length === 0 ? DecorationSet.empty : DecorationSet.create(doc, steps);
}
