// What every field for a title does: it shows the shared title, writes what a person makes of it, and leaves the caret and
// a composition alone when others write it, too.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";
import type { Doc } from "yjs";
import { editTitle, keepTitle, LONGEST_TITLE, onTitle, placeAfter, readTitle } from "./title";

export function useTitle(doc: Doc): string {
  const subscribe = useCallback((listener: () => void) => onTitle(doc, listener), [doc]);
  return useSyncExternalStore(subscribe, () => readTitle(doc));
}

// A document's page draws its title while the text is on its way and again with the text: another field in the same place.
// Whoever was writing in the first goes on in the second. React takes the one out and puts the other in in one commit.
let handed: { readonly doc: Doc; readonly start: number; readonly end: number } | null = null;

function handOver(doc: Doc, field: Field): void {
  if (document.activeElement !== field) return;
  const hand = { doc, start: field.selectionStart ?? 0, end: field.selectionEnd ?? 0 };
  handed = hand;
  queueMicrotask(() => {
    if (handed === hand) handed = null;
  });
}

function takeOver(doc: Doc, field: Field): void {
  if (handed?.doc !== doc) return;
  field.focus({ preventScroll: true });
  field.setSelectionRange(handed.start, handed.end);
  handed = null;
}

type Field = HTMLInputElement | HTMLTextAreaElement;

export interface TitleInput<Element extends Field> {
  /** What the field shows: the title, or during a composition what is being composed in it. */
  readonly title: string;
  readonly props: {
    readonly ref: RefObject<Element | null>;
    readonly value: string;
    readonly maxLength: number;
    readonly onChange: (event: React.ChangeEvent<Element>) => void;
    readonly onSelect: () => void;
    readonly onCompositionStart: () => void;
    readonly onCompositionEnd: (event: React.CompositionEvent<Element>) => void;
  };
}

export function useTitleInput<Element extends Field>(doc: Doc): TitleInput<Element> {
  const title = useTitle(doc);
  const field = useRef<Element>(null);
  const [composed, setComposed] = useState<{ readonly base: string; readonly value: string } | null>(null);
  const value = composed?.value ?? title;
  const caret = useRef({ value, start: 0, end: 0 });
  useEffect(() => keepTitle(doc), [doc]);
  const unfinished = useRef(composed);
  useLayoutEffect(() => {
    unfinished.current = composed;
  }, [composed]);
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null) return;
    takeOver(doc, current);
    return () => {
      // Its end would come to a field that is not there any more.
      if (unfinished.current !== null) editTitle(doc, unfinished.current.base, current.value);
      handOver(doc, current);
    };
  }, [doc]);

  const remember = (): void => {
    const { current } = field;
    if (current !== null) caret.current = { value: current.value, start: current.selectionStart ?? 0, end: current.selectionEnd ?? 0 };
  };
  // By now the browser has put the caret at the end of what others made of the title.
  useLayoutEffect(() => {
    const { current } = field;
    const before = caret.current;
    if (current === null || document.activeElement !== current || before.value === value) return;
    current.setSelectionRange(placeAfter(before.value, value, before.start), placeAfter(before.value, value, before.end));
    remember();
  }, [value]);

  return {
    title: value,
    props: {
      ref: field,
      value,
      maxLength: LONGEST_TITLE,
      onChange: ({ currentTarget, nativeEvent }) => {
        const made = currentTarget.value;
        remember();
        if (composed !== null || (nativeEvent as InputEvent).isComposing) setComposed({ base: composed?.base ?? title, value: made });
        else editTitle(doc, title, made);
      },
      onSelect: remember,
      onCompositionStart: () => setComposed({ base: title, value: title }),
      onCompositionEnd: ({ currentTarget }) => {
        setComposed(null);
        editTitle(doc, composed?.base ?? title, currentTarget.value);
      },
    },
  };
}
