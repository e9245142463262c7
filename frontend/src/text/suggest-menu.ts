// Finds the sign that calls a menu at the caret, and puts what is chosen in its place.
import type { Editor, Range } from "@tiptap/core";
import type { ResolvedPos } from "@tiptap/pm/model";
import type { Plugin, PluginKey } from "@tiptap/pm/state";
import { Suggestion, type SuggestionProps } from "@tiptap/suggestion";
import { follows } from "./binding/plugin";
import { LIST_ID, type Offer, offerId, type OpenSuggestion, type SuggestSource, type SuggestStore } from "./suggest-store";

/** The plugin of one sign. */
export function menuAtCaret(editor: Editor, pluginKey: PluginKey, store: SuggestStore, source: SuggestSource): Plugin {
  return Suggestion<Offer, Offer>({
    editor,
    char: source.char,
    // Also says that a blank does not open again what Escape has closed.
    allowSpaces: source.spaces ?? false,
    findSuggestionMatch: ({ $position }) => calledAt($position, source),
    pluginKey,
    allow: ({ state, range }) => editor.isEditable && !state.doc.resolve(range.from).parent.type.spec.code && !editor.isActive("code"),
    // What others write never opens a menu here, and never closes one.
    shouldShow: ({ transaction }) => store.get() !== null || !follows(transaction),
    items: ({ query }) => [...source.offers(query)],
    command: ({ editor: target, range, props: offer }) => offer.run(target, range),
    render: () => {
      let unmount: (() => void) | null = null;
      let command: ((offer: Offer) => void) | null = null;
      let query = "";
      const host = document.createElement("div");
      host.className = "suggest-place";

      const show = (props: SuggestionProps<Offer, Offer>): void => {
        command = props.command;
        // What there is for it comes a moment later. Until then the menu stays: it is only somewhere else, if others write above.
        if (props.loading) return;
        const open = store.get();
        const selected = open?.host === host && query === props.query ? open.offers[open.selected]?.id : undefined;
        query = props.query;
        if (props.items.length === 0) {
          hide();
          return;
        }
        unmount?.();
        unmount = props.mount(host);
        store.set({
          host,
          label: source.label(),
          offers: props.items,
          selected: Math.max(0, props.items.findIndex(({ id }) => id === selected)),
          choose: (offer) => command?.(offer),
          select: (index) => change(index),
        });
        describe(editor, store.get());
      };
      const hide = (): void => {
        unmount?.();
        unmount = null;
        if (store.get()?.host === host) store.set(null);
        describe(editor, null);
      };
      const change = (index: number): void => {
        const open = store.get();
        if (open === null) return;
        store.set({ ...open, selected: (index + open.offers.length) % open.offers.length });
        describe(editor, store.get());
      };

      return {
        onStart: show,
        onUpdate: show,
        onExit: hide,
        onKeyDown: ({ event }) => {
          const open = store.get();
          if (open === null || open.host !== host) return false;
          // A key that is part of a composition belongs to the input method.
          if (event.isComposing) return false;
          const offer = open.offers[open.selected];
          switch (event.key) {
            case "ArrowDown":
              change(open.selected + 1);
              return true;
            case "ArrowUp":
              change(open.selected - 1);
              return true;
            case "Enter":
            case "Tab":
              if (offer) command?.(offer);
              return true;
            default:
              return false;
          }
        },
      };
    },
  });
}

/** Letters of scripts that put no space between words: a menu may be called right behind them. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]$/u;
/** Behind these a sign is part of a word, an address, a path or a tag. */
const WITHIN = /[\p{L}\p{N}\p{M}_.:@＠/／\\<-]$/u;

/**
 * The sign before the caret that calls a menu, in half or full width, and what was typed behind it. Tiptap's own search
 * knows one sign, and only behind a blank: in Chinese there is none.
 */
export function calledAt($position: ResolvedPos, { char, spaces = false }: Pick<SuggestSource, "char" | "spaces">): { range: Range; query: string; text: string } | null {
  const written = $position.parent.textBetween(0, $position.parentOffset, undefined, NO_TEXT);
  const wide = String.fromCharCode(char.charCodeAt(0) + FULL_WIDTH);
  const isSign = (letter: string | undefined): boolean => letter === char || letter === wide;
  for (let at = written.length - 1; at >= 0; at--) {
    if (written[at] === NO_TEXT || (!spaces && /\s/u.test(written[at] ?? ""))) return null;
    if (!isSign(written[at])) continue;
    const before = written.slice(Math.max(0, at - 2), at);
    if (!WITHIN.test(before) || UNSPACED.test(before)) return { range: { from: $position.start() + at, to: $position.pos }, query: written.slice(at + 1), text: written.slice(at) };
    if (!spaces) return null;
  }
  return null;
}

/** Stands for what is no text, such as a picture. */
const NO_TEXT = "\ufffc";
/** From a sign to the same in full width. */
const FULL_WIDTH = 0xfee0;

/** Tells assistive technology which offer is at hand while the focus stays in the text. */
function describe(editor: Editor, open: OpenSuggestion | null): void {
  if (editor.isDestroyed) return;
  const { dom } = editor.view;
  if (open === null) {
    dom.removeAttribute("aria-controls");
    dom.removeAttribute("aria-activedescendant");
  } else {
    dom.setAttribute("aria-controls", LIST_ID);
    dom.setAttribute("aria-activedescendant", offerId(open.selected));
  }
}
