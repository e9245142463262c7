// Somebody's name in the text. Stored in the shape of Tiptap's own mention, so that other clients read ours.
import { Node, mergeAttributes } from "@tiptap/core";

export const Mention = Node.create({
  name: "mention",
  group: "inline",
  inline: true,
  atom: true,
  selectable: false,

  addAttributes: () => ({
    id: { default: null, parseHTML: (element) => element.getAttribute("data-id"), renderHTML: ({ id }) => (typeof id === "string" ? { "data-id": id } : {}) },
    label: {
      default: null,
      parseHTML: (element) => element.getAttribute("data-label"),
      renderHTML: ({ label }) => (typeof label === "string" ? { "data-label": label } : {}),
    },
    mentionSuggestionChar: { default: "@", rendered: false },
  }),

  parseHTML: () => [{ tag: 'span[data-type="mention"]' }],

  renderHTML: ({ node, HTMLAttributes }) => ["span", mergeAttributes({ "data-type": "mention", class: "mention" }, HTMLAttributes), spoken(node.attrs)],

  renderText: ({ node }) => spoken(node.attrs),
});

function spoken(attributes: Readonly<Record<string, unknown>>): string {
  const { label, id } = attributes;
  return `@${typeof label === "string" && label !== "" ? label : typeof id === "string" ? id : ""}`;
}
