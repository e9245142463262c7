// Headings under a title. The page's one h1 is the document's title, so the document's own first level is shown as h2;
// in the data it stays level 1, as every other Tiptap client writes and reads it.
import { Heading } from "@tiptap/extension-heading";
import { mergeAttributes } from "@tiptap/core";

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
}).configure({ levels: [...LEVELS] });
