// Images in the text: an address, never the bytes. Only images of this server are loaded; one from elsewhere, brought by
// an imported file or another client, is shown as a link, because loading it would tell a stranger who reads this.
import { InputRule, mergeAttributes, Node } from "@tiptap/core";
import { linkFrom } from "./link";

declare module "@tiptap/core" {
  interface Commands<ReturnType> {
    readonly image: { readonly setImage: (image: { readonly src: string; readonly alt?: string; readonly title?: string }) => ReturnType };
  }
}

/** Tiptap's own can be drawn larger and smaller, which costs more script than all of this file's surroundings. */
export const Picture = Node.create({
  name: "image",
  inline: true,
  group: "inline",
  draggable: true,

  addAttributes: () => Object.fromEntries(["src", "alt", "title", "width", "height"].map((name) => [name, { default: null }])),

  addCommands() {
    return { setImage: (attrs) => ({ commands }) => commands.insertContent({ type: this.name, attrs }) };
  },

  parseHTML() {
    return [
      { tag: 'img[src]:not([src^="data:"])' },
      {
        tag: "a[data-image]",
        priority: 1100,
        getAttrs: (element) => ({ src: element.getAttribute("data-image"), alt: element.textContent }),
      },
    ];
  },

  /** `![words](address)`. Tiptap's own rule writes the closing bracket twice. */
  addInputRules() {
    return [
      new InputRule({
        find: /!\[([^[\]]*)\]\(([^\s()]+)\)$/,
        handler: ({ state, range, match }) => {
          const [, alt = "", typed = ""] = match;
          const src = isOurs(typed) ? typed : linkFrom(typed);
          if (!src) return null;
          state.tr.replaceWith(range.from, range.to, this.type.create({ src, alt }));
          return undefined;
        },
      }),
    ];
  },

  renderHTML({ node, HTMLAttributes }) {
    const src: unknown = node.attrs["src"];
    const alt: unknown = node.attrs["alt"];
    if (isOurs(src)) return ["img", mergeAttributes(HTMLAttributes, { alt: typeof alt === "string" ? alt : "", loading: "lazy", draggable: "true" })];
    const href = typeof src === "string" ? linkFrom(src) : null;
    const words = typeof alt === "string" && alt !== "" ? alt : typeof src === "string" ? src : "?";
    return ["a", { "data-image": String(src), href: href || null, target: "_blank", rel: "noopener noreferrer nofollow", class: "picture-away" }, words];
  },
});

/** An address on this server. */
export function isOurs(src: unknown): src is string {
  return typeof src === "string" && /^\/(?![/\\])/.test(src);
}
