// Where the others are writing: a coloured caret with a name that fades, and their selection. Tiptap's own caret
// extension is a wrapper around the same plugin; ours also knows whose caret it draws, so that the name can come back
// when they move and follow when they change it.
import { Extension } from "@tiptap/core";
import { Plugin, type Transaction } from "@tiptap/pm/state";
import { yCursorPlugin, yCursorPluginKey } from "@tiptap/y-tiptap";
import type { Awareness } from "y-protocols/awareness";
import { caretOf, dressCaret, drawCaret, turnCaret } from "../presence/caret";
import { personOf } from "../presence/people";
import type { Composing } from "./composing";

export interface CaretsOptions {
  readonly awareness: Awareness;
  /** The word for somebody who announced no name. */
  readonly nameless: () => string;
  /** Where one is writing oneself. */
  readonly selection: Composing["selection"];
}

export function carets({ awareness, nameless, selection }: CaretsOptions): Extension {
  const show = (client: number, user: unknown): { readonly name: string; readonly colour: string } => {
    const { name, colour } = personOf(client, user);
    return { name: name || nameless(), colour };
  };

  const draw = (user: unknown, client: number): HTMLElement => drawCaret(client, show(client, user));

  return Extension.create({
    name: "carets",
    // Before other extensions' plugins, but after the collaboration itself, whose mapping it reads.
    priority: 999,
    addProseMirrorPlugins() {
      const { editor } = this;
      return [
        yCursorPlugin(awareness, {
          cursorBuilder: draw,
          getSelection: selection,
          selectionBuilder: (user: unknown, client: number) => ({
            class: "caret-selection",
            style: `--caret: ${personOf(client, user).colour}`,
          }),
        }) as Plugin,
        new Plugin({
          // A caret drawn or moved beside a composition may end it: browsers tie one to its text node. It waits.
          filterTransaction: (transaction) => !(editor.view.composing && isCaretMove(transaction)),
          props: {
            handleDOMEvents: {
              compositionend: (view) => {
                // After the editor has read what was composed.
                setTimeout(() => {
                  if (!view.isDestroyed && !view.composing) view.dispatch(view.state.tr.setMeta(yCursorPluginKey, { awarenessUpdated: true }));
                }, 50);
                return false;
              },
            },
          },
          view: (view) => {
            // The plugin above keeps a caret's element while it only moves, so what changes about it is changed here.
            const onChange = ({ updated }: { readonly updated: readonly number[] }): void => {
              for (const client of updated) {
                const caret = caretOf(view.dom, client);
                if (caret === null) continue;
                dressCaret(caret, show(client, awareness.getStates().get(client)?.["user"]));
                turnCaret(caret, view.dom);
                restartFade(caret);
              }
            };
            awareness.on("change", onChange);
            return {
              update: () => {
                for (const caret of view.dom.querySelectorAll<HTMLElement>(".caret")) turnCaret(caret, view.dom);
              },
              destroy: () => awareness.off("change", onChange),
            };
          },
        }),
      ];
    },
  });
}

function isCaretMove(transaction: Transaction): boolean {
  const meta: unknown = transaction.getMeta(yCursorPluginKey);
  return !transaction.docChanged && typeof meta === "object" && meta !== null && "awarenessUpdated" in meta;
}

/** The name had faded; whoever moved is worth naming again. A new element starts its animation afresh. */
function restartFade(caret: HTMLElement): void {
  const label = caret.firstElementChild;
  label?.replaceWith(label.cloneNode(true));
}
