// What a menu at the caret shows, for whoever calls it and whoever draws it.
import type { Editor, Range } from "@tiptap/core";
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
