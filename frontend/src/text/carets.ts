// Where the others are writing: a coloured caret with a name that fades, and their selection; and where one is oneself, told
// to them. What is drawn is decorations that the editor never reads: a name beside a caret is nobody's text.
import { Extension } from "@tiptap/core";
import { Plugin, PluginKey } from "@tiptap/pm/state";
import { Decoration, DecorationSet, type EditorView } from "@tiptap/pm/view";
import type { Awareness } from "y-protocols/awareness";
import { dressCaret, drawCaret, turnCaret } from "../presence/caret";
import { personOf } from "../presence/people";
import { placed, shared } from "./binding/carets";
import { boundTo, readFirst } from "./binding/plugin";

export interface CaretsOptions {
  readonly awareness: Awareness;
  /** The word for somebody who announced no name. */
  readonly nameless: () => string;
}

const key = new PluginKey<DecorationSet>("weft:carets");

/** The field of one's own presence that says where the caret is. */
const FIELD = "cursor";

export function carets({ awareness, nameless }: CaretsOptions): Extension {
  const show = (client: number, user: unknown): { readonly name: string; readonly colour: string } => {
    const { name, colour } = personOf(client, user);
    return { name: name || nameless(), colour };
  };

  /** As they were drawn last, by client. */
  const elements = new Map<number, HTMLElement>();
  /** Who has moved since. */
  const moved = new Set<number>();
  let frame = 0;

  const draw = (view: EditorView): DecorationSet => {
    const there = boundTo(view);
    if (there === null) return DecorationSet.empty;
    const { size } = view.state.doc.content;
    const all: Decoration[] = [];
    for (const [client, state] of awareness.getStates()) {
      if (client === awareness.clientID) continue;
      const place = placed(there.binding, state[FIELD]);
      if (place === null) continue;
      const user: unknown = state["user"];
      const [head, anchor] = [Math.min(place.head, size), Math.min(place.anchor, size)];
      const made = (): HTMLElement => {
        const caret = drawCaret(client, show(client, user));
        elements.set(client, caret);
        return caret;
      };
      all.push(Decoration.widget(head, made, { key: `caret ${client}`, side: 10, ignoreSelection: true, stopEvent: () => true }));
      if (head !== anchor) all.push(Decoration.inline(Math.min(head, anchor), Math.max(head, anchor), { class: "caret-selection", style: `--caret: ${personOf(client, user).colour}` }, { inclusiveEnd: false }));
    }
    return DecorationSet.create(view.state.doc, all);
  };

  return Extension.create({
    name: "carets",
    // After the text itself, whose places it reads.
    priority: 999,
    addProseMirrorPlugins: () => [
      new Plugin<DecorationSet>({
        key,
        state: {
          init: () => DecorationSet.empty,
          apply: (transaction, before) => (transaction.getMeta(key) as DecorationSet | undefined) ?? before.map(transaction.mapping, transaction.doc),
        },
        props: {
          decorations: (state) => key.getState(state),
          handleDOMEvents: {
            compositionend: (view) => {
              // After the editor has read what was composed.
              setTimeout(() => later(view), 50);
              return false;
            },
            focus: (view) => tell(view),
            blur: (view) => tell(view, false),
          },
        },
        view: (view) => {
          const onChange = ({ added, updated, removed }: Readonly<Record<"added" | "updated" | "removed", readonly number[]>>): void => {
            if ([...added, ...updated, ...removed].every((client) => client === awareness.clientID)) return;
            for (const client of updated) moved.add(client);
            later(view);
          };
          awareness.on("change", onChange);
          return {
            update: (_view, before) => {
              if (view.state.doc !== before.doc || view.state.selection !== before.selection) tell(view);
              if (view.state.doc !== before.doc) later(view);
            },
            destroy: () => {
              awareness.off("change", onChange);
              // Not where it is only made anew, because another plugin has come.
              queueMicrotask(() => void (view.isDestroyed && awareness.setLocalStateField(FIELD, null)));
            },
          };
        },
      }),
    ],
  });

  /**
   * Once in a frame, when what others have written and where they are by then has come: each change of what is drawn, and each
   * look at it, may cost a layout of the whole text. What is written meanwhile takes the carets along.
   */
  function later(view: EditorView): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      // A caret drawn or moved beside a composition may end it: browsers tie one to its text node. It waits.
      if (view.isDestroyed || view.composing) return;
      readFirst(view);
      const drawn = draw(view);
      if (said(drawn) !== said(key.getState(view.state))) view.dispatch(view.state.tr.setMeta(key, drawn).setMeta("addToHistory", false));
      for (const [client, caret] of elements) {
        if (!caret.isConnected) elements.delete(client);
        // The element of a caret is kept while it only moves, so what changes about it is changed here.
        if (moved.has(client)) {
          dressCaret(caret, show(client, awareness.getStates().get(client)?.["user"]));
          restartFade(caret);
        }
        turnCaret(caret, view.dom);
      }
      moved.clear();
    });
  }

  function tell(view: EditorView, focused = view.hasFocus()): false {
    const there = boundTo(view);
    const told = focused && there !== null ? shared(there.binding, view.state.selection) : null;
    const now: unknown = awareness.getLocalState()?.[FIELD] ?? null;
    // Whoever has left is told of no more: then this does nothing.
    if (JSON.stringify(told) !== JSON.stringify(now)) awareness.setLocalStateField(FIELD, told);
    return false;
  }
}

/** What is drawn, and where. */
function said(set: DecorationSet = DecorationSet.empty): string {
  return set.find().map(({ from, to, spec }) => `${from} ${to} ${String((spec as { readonly key?: string }).key)}`).sort().join();
}

/** The name had faded; whoever moved is worth naming again. A new element starts its animation afresh. */
function restartFade(caret: HTMLElement): void {
  const label = caret.firstElementChild;
  label?.replaceWith(label.cloneNode(true));
}
