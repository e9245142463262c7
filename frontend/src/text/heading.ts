// Headings under a title. The page's one h1 is the document's title, so the document's own first level is shown as h2;
// in the data it stays level 1, as every other Tiptap client writes and reads it.
import { Heading } from "@tiptap/extension-heading";
import { mergeAttributes } from "@tiptap/core";

const LEVELS = [1, 2, 3] as const;

export const TitledHeading = Heading.extend({
  parseHTML() {
    return [
      // What we ourselves put on the clipboard says its level; foreign HTML says it by the tag.
      ...LEVELS.map((level) => ({ tag: `h${level + 1}[data-level="${level}"]`, attrs: { level }, priority: 60 })),
      ...LEVELS.map((level) => ({ tag: `h${level}`, attrs: { level } })),
      { tag: "h4", attrs: { level: 3 } },
    ];
  },
  renderHTML({ node, HTMLAttributes }) {
    const stored: unknown = node.attrs["level"];
    const level = LEVELS.find((known) => known === stored) ?? (typeof stored === "number" && stored > 3 ? 3 : 1);
    return [`h${level + 1}`, mergeAttributes(HTMLAttributes, { "data-level": level }), 0];
  },
}).configure({ levels: [...LEVELS] });
