// Menus at the caret: "/" offers blocks, "@" offers the people inside. The plugin finds and replaces what was typed; what
// is offered is drawn by suggest-popup.tsx.
import { Extension, type Editor, type Range } from "@tiptap/core";
import { PluginKey } from "@tiptap/pm/state";
import { Suggestion, type SuggestionProps } from "@tiptap/suggestion";
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
    allowSpaces: source.spaces ?? false,
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
