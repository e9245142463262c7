// Links in the text. The stored shape is that of Tiptap's own link extension, so that other clients read ours and we
// theirs; the extension itself is not used because it brings a table of all top-level domains (15 KiB compressed), and
// because every address, whoever wrote it, must pass our own rule before it becomes clickable.
import { InputRule, Mark, markPasteRule, mergeAttributes } from "@tiptap/core";
import type { Node } from "@tiptap/pm/model";
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
const BEFORE_CARET = `(?:^|[\\s(（「『])(${ADDRESS.source})[^\\s]?`;
const TYPED = new RegExp(`${BEFORE_CARET}[^\\S\\n]$`, "u");
const ENTERED = new RegExp(`${BEFORE_CARET}$`, "u");
const PASTED = new RegExp(ADDRESS.source, "gu");

/** `[words](address)`, and not the picture that it would be behind an exclamation mark. */
const MARKDOWN = /(?<!!)\[([^[\]]+)\]\(([^\s()]+)\)$/;

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
        find: MARKDOWN,
        handler: ({ state, range, match }) => {
          const [, words = "", address] = match;
          const href = addressOf(address);
          if (href === null) return null;
          const from = range.from + 1;
          state.tr
            .delete(from + words.length, range.to)
            .delete(range.from, from)
            .addMark(range.from, range.from + words.length, this.type.create({ href }))
            .removeStoredMark(this.type);
          return undefined;
        },
      }),
      new InputRule({
        find: TYPED,
        handler: ({ state, range, match }) => {
          const found = foundIn(match, range.from, state.doc);
          if (found === null) return null;
          // The white space that completed the address was written before the rule ran; what follows is no link.
          state.tr.addMark(found.start, found.end, this.type.create({ href: found.href })).removeStoredMark(this.type);
          return undefined;
        },
      }),
    ];
  },

  addKeyboardShortcuts() {
    return {
      // Enter writes no white space an input rule could see; it links first and then does what it always does.
      Enter: ({ editor }) => {
        const { $from, empty } = editor.state.selection;
        const text = $from.parent.textBetween(0, $from.parentOffset, undefined, "\ufffc");
        const match = empty ? ENTERED.exec(text) : null;
        const found = match && foundIn(match, $from.start() + match.index, editor.state.doc);
        if (found) editor.view.dispatch(editor.state.tr.addMark(found.start, found.end, this.type.create({ href: found.href })));
        return false;
      },
    };
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

/** Where in the document the address of a match stands, unless it is linked already or is code. */
function foundIn(match: RegExpMatchArray, from: number, doc: Node): { readonly start: number; readonly end: number; readonly href: string } | null {
  const typed = match[1];
  const href = typed === undefined ? null : addressOf(typed);
  if (typed === undefined || href === null) return null;
  const start = from + match[0].indexOf(typed);
  const end = start + typed.length;
  const { link, code } = doc.type.schema.marks;
  if ([link, code].some((mark) => mark !== undefined && doc.rangeHasMark(start, end, mark))) return null;
  if (doc.resolve(start).parent.type.spec.code) return null;
  return { start, end, href };
}
