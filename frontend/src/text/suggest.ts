// Menus at the caret: "/" offers blocks, "@" offers the people inside. The plugin finds and replaces what was typed; what
// is offered is drawn by suggest-popup.tsx.
import { Extension, type Editor, type Range } from "@tiptap/core";
import { PluginKey } from "@tiptap/pm/state";
import { Suggestion, type SuggestionProps } from "@tiptap/suggestion";
import type { ResolvedPos } from "@tiptap/pm/model";
import { isChangeOrigin } from "@tiptap/extension-collaboration";
import type { ReactNode } from "react";
import { createStore, type Store } from "../ui/store";

/** One line of a menu. `run` is told which part of the text the menu was called with, to put something in its place. */
export interface Offer {
  readonly id: string;
  readonly label: string;
  readonly icon?: ReactNode;
  readonly hint?: string;
  readonly run: (editor: Editor, range: Range) => void;
}

export interface OpenSuggestion {
  readonly host: HTMLElement;
  readonly label: string;
  readonly offers: readonly Offer[];
  readonly selected: number;
  readonly choose: (offer: Offer) => void;
  readonly select: (index: number) => void;
}

export interface SuggestSource {
  readonly char: string;
  /** What the menu is called, for screen readers. Asked when it opens. */
  readonly label: () => string;
  readonly offers: (query: string) => readonly Offer[];
  /** Whether the query may contain spaces, as names do. */
  readonly spaces?: boolean;
}

/** One menu is open at a time; `null` while none is. */
export type SuggestStore = Store<OpenSuggestion | null>;

export const createSuggestStore = (): SuggestStore => createStore<OpenSuggestion | null>(null);

/** The element ids that tie the text to the open menu, for screen readers. */
export const LIST_ID = "suggest-list";
export const offerId = (index: number): string => `suggest-offer-${index}`;

export function suggest(store: SuggestStore, sources: readonly SuggestSource[]): Extension {
  return Extension.create({
    name: "suggest",
    addProseMirrorPlugins() {
      return sources.map((source) => pluginFor(this.editor, store, source));
    },
  });
}

function pluginFor(editor: Editor, store: SuggestStore, source: SuggestSource): ReturnType<typeof Suggestion> {
  return Suggestion<Offer, Offer>({
    editor,
    char: source.char,
    // Also says that a blank does not open again what Escape has closed.
    allowSpaces: source.spaces ?? false,
    findSuggestionMatch: ({ $position }) => calledAt($position, source),
    pluginKey: new PluginKey(`suggest ${source.char}`),
    allow: ({ state, range }) => editor.isEditable && !state.doc.resolve(range.from).parent.type.spec.code && !editor.isActive("code"),
    // What others write never opens a menu here, and never closes one.
    shouldShow: ({ transaction }) => store.get() !== null || !isChangeOrigin(transaction),
    items: ({ query }) => [...source.offers(query)],
    command: ({ editor: target, range, props: offer }) => offer.run(target, range),
    render: () => {
      let unmount: (() => void) | null = null;
      let command: ((offer: Offer) => void) | null = null;
      const host = document.createElement("div");
      host.className = "suggest-place";

      const show = (props: SuggestionProps<Offer, Offer>, selected: number): void => {
        command = props.command;
        if (props.items.length === 0) {
          hide();
          return;
        }
        unmount ??= props.mount(host);
        store.set({
          host,
          label: source.label(),
          offers: props.items,
          selected: Math.min(selected, props.items.length - 1),
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
        onStart: (props) => show(props, 0),
        onUpdate: (props) => show(props, 0),
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
