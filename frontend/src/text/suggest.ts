// Menus at the caret: "/" offers blocks, "@" offers the people inside. The plugin (suggest-menu.ts) finds and replaces what was
// typed, and is fetched when somebody is about to write; what is offered is drawn by suggest-popup.tsx.
import { Extension, type Editor, type Range } from "@tiptap/core";
import { PluginKey } from "@tiptap/pm/state";
import type { ReactNode } from "react";
import { whenAtRest } from "../ui/at-rest";
import { createStore, type Store } from "../ui/store";
import { pluginLater } from "./plugin-later";

const menu = () => import("./suggest-menu");
whenAtRest(() => void menu().catch(() => undefined));

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
  /** Fetches what the offers need, before there is a menu. */
  readonly prepare?: () => Promise<unknown>;
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
      return sources.map((source) => {
        const key = new PluginKey(`suggest ${source.char}`);
        return pluginLater(key, () => Promise.all([menu(), source.prepare?.()]).then(([{ menuAtCaret }]) => menuAtCaret(this.editor, key, store, source)));
      });
    },
  });
}
