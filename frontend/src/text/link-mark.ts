// Links in the text. The stored shape is that of Tiptap's own link extension, so that other clients read ours and we
// theirs; the extension itself is not used because it brings a table of all top-level domains (15 KiB compressed), and
// because every address, whoever wrote it, must pass our own rule before it becomes clickable.
import { InputRule, Mark, markPasteRule, mergeAttributes } from "@tiptap/core";
import { Plugin } from "@tiptap/pm/state";
import { linkFrom } from "./link";

declare module "@tiptap/core" {
  interface Commands<ReturnType> {
    link: {
      /** Makes the selection a link. The address must come from `linkFrom`. */
      setLink: (href: string) => ReturnType;
      unsetLink: () => ReturnType;
    };
  }
}

/** What becomes a link by itself: an address with a scheme or `www.`, not its closing punctuation. */
const ADDRESS = /(?:https?:\/\/|www\.)[^\s<>"'“”]*[^\s<>"'“”.,;:!?)\]}…。，、；：！？）」』]/;
const TYPED = new RegExp(`(?:^|[\\s(（「『])(${ADDRESS.source})[^\\s]?\\s$`, "u");
const PASTED = new RegExp(ADDRESS.source, "gu");

/** The attributes Tiptap's extension stores beside the address. We write them the way it does by default. */
const COMPANIONS = { target: "_blank", rel: "noopener noreferrer nofollow", class: null, title: null };

export const LinkMark = Mark.create({
  name: "link",
  priority: 1000,
  inclusive: false,
  keepOnSplit: false,
  exitable: true,

  addAttributes: () => ({
    href: { default: null },
    ...Object.fromEntries(Object.entries(COMPANIONS).map(([name, value]) => [name, { default: value }])),
  }),

  parseHTML: () => [{ tag: "a[href]", getAttrs: (element) => (addressOf(element.getAttribute("href")) === null ? false : null) }],

  renderHTML: ({ mark, HTMLAttributes }) => [
    "a",
    // A stored address is another person's word: one that fails our rule is shown as text that leads nowhere.
    mergeAttributes(HTMLAttributes, { href: addressOf(mark.attrs["href"]), target: "_blank", rel: COMPANIONS.rel, class: null }),
    0,
  ],

  addCommands() {
    return {
      setLink:
        (href) =>
        ({ chain }) =>
          chain().setMark(this.name, { href }).setMeta("preventAutolink", true).run(),
      unsetLink:
        () =>
        ({ chain }) =>
          chain().unsetMark(this.name, { extendEmptyMarkRange: true }).run(),
    };
  },

  addInputRules() {
    return [
      new InputRule({
        find: TYPED,
        handler: ({ state, range, match }) => {
          const typed = match[1];
          const href = typed === undefined ? null : addressOf(typed);
          if (typed === undefined || href === null) return null;
          const start = range.from + match[0].indexOf(typed);
          const end = start + typed.length;
          const mark = this.type;
          if (state.doc.rangeHasMark(start, end, mark) || state.doc.rangeHasMark(start, end, codeOf(state.schema.marks, mark))) return null;
          // The rule replaces the key that completed it, so the white space is written here.
          state.tr.addMark(start, end, mark.create({ href })).insertText(match[0].slice(-1), range.to).removeStoredMark(mark);
          return undefined;
        },
      }),
    ];
  },

  addPasteRules() {
    return [
      markPasteRule({
        find: PASTED,
        type: this.type,
        getAttributes: (match) => {
          const href = addressOf(match[0]);
          return href === null ? false : { href };
        },
      }),
    ];
  },

  addProseMirrorPlugins() {
    return [
      new Plugin({
        props: {
          // An address pasted onto selected words links the words.
          handlePaste: (view, event) => {
            const text = event.clipboardData?.getData("text/plain").trim() ?? "";
            const href = new RegExp(`^${ADDRESS.source}$`, "u").test(text) ? addressOf(text) : null;
            if (href === null || view.state.selection.empty) return false;
            return this.editor.commands.setLink(href);
          },
        },
      }),
    ];
  },
});

function addressOf(value: unknown): string | null {
  const href = typeof value === "string" ? linkFrom(value) : null;
  return href === "" ? null : href;
}

/** Inside code nothing becomes a link by itself. */
function codeOf<T>(marks: Readonly<Record<string, T>>, otherwise: T): T {
  return marks["code"] ?? otherwise;
}
