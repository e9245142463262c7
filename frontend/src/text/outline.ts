// The headings of a text, in order, with where they stand.
import type { Node } from "@tiptap/pm/model";

export interface Heading {
  readonly level: number;
  readonly text: string;
  /** The position of the heading in the document. */
  readonly at: number;
}

export function headingsOf(doc: Node): readonly Heading[] {
  const headings: Heading[] = [];
  doc.descendants((node, at) => {
    if (node.type.name === "heading") {
      const level: unknown = node.attrs["level"];
      headings.push({ level: typeof level === "number" ? level : 1, text: node.textContent.trim(), at });
    }
    return !node.isTextblock;
  });
  return headings;
}
