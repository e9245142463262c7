// Somebody at an editor without a browser: the keys and commands that the page has, and the shared data behind them.
import { Editor, type Extensions } from "@tiptap/core";
import { EditorState, type Transaction } from "@tiptap/pm/state";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { blocks } from "../../blocks";
import { FOLLOWS, TextBinding } from "../binding";
import { readyToCarry } from "../moves";
import { TableIds } from "../table-ids";
import { createUndo, readyToRestore, type Undo } from "../undo";

/** What a plan does to somebody, whatever binding is between their editor and the data. */
export interface Person {
  readonly doc: Doc;
  readonly editor: Editor;
  /** Shows what others do in that line only after that, as the page does while somebody composes. */
  readonly compose: (during: () => void) => void;
  readonly undo: () => void;
  readonly redo: () => void;
  readonly close: () => void;
}

export const REMOTE = "remote";

// A page has them by the time that something of others arrives.
await Promise.all([readyToCarry(), readyToRestore()]);

export function extensions(): Extensions {
  return [...blocks(), TableIds];
}

/** Making an editor costs more than a whole plan; one that nobody uses any more is as good as a new one. */
const unused: Editor[] = [];

const plugins = new WeakMap<Editor, Editor["extensionManager"]["plugins"]>();

function pluginsOf(editor: Editor): Editor["extensionManager"]["plugins"] {
  const known = plugins.get(editor) ?? editor.extensionManager.plugins;
  plugins.set(editor, known);
  return known;
}

function editorFor(): Editor {
  return unused.pop() ?? new Editor({ element: null, content: { type: "doc", content: [{ type: "paragraph" }] }, extensions: extensions() });
}

export function person(doc: Doc, newId?: () => string): Person & { readonly binding: TextBinding; readonly manager: Undo["manager"] } {
  const editor = editorFor();
  const binding = new TextBinding({ doc, schema: editor.schema, ...(newId ? { newId } : {}) });
  const undo = createUndo({ doc, binding, burst: 1e9 });
  editor.view.updateState(EditorState.create({ doc: binding.document, plugins: pluginsOf(editor) }));
  const onTransaction = ({ transaction, appendedTransactions }: { transaction: Transaction; appendedTransactions: Transaction[] }) => {
    const all = [transaction, ...appendedTransactions].filter((one) => one.getMeta(FOLLOWS) !== true);
    if (all.length === 0) return;
    const correction = binding.write(editor.state, { maps: all.flatMap(({ mapping }) => mapping.maps) }, undo.written);
    if (correction !== null) editor.view.dispatch(correction);
  };
  editor.on("transaction", onTransaction);
  let holding = false;
  const take = (): void => {
    const transaction = binding.take(editor.state, holding ? editor.state.selection.head : null);
    if (transaction !== null) editor.view.dispatch(transaction);
  };
  binding.onChange(take);
  return {
    doc,
    editor,
    binding,
    manager: undo.manager,
    compose: (during) => {
      holding = true;
      during();
      holding = false;
      take();
    },
    undo: () => void undo.undo(),
    redo: () => void undo.redo(),
    close: () => {
      undo.dispose();
      binding.dispose();
      editor.off("transaction", onTransaction);
      unused.push(editor);
    },
  };
}

/** What one does arrives at the other when what this answers is called. */
export function line(from: Pick<Person, "doc">, to: Pick<Person, "doc">): () => void {
  const waiting: Uint8Array[] = [];
  from.doc.on("update", (update: Uint8Array, origin: unknown) => void (origin !== REMOTE && waiting.push(update)));
  return () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) applyUpdate(to.doc, next, REMOTE);
  };
}

export function copyOf(doc: Doc, clientID: number): Doc {
  const copy = new Doc({ guid: "copy" });
  copy.clientID = clientID;
  applyUpdate(copy, encodeStateAsUpdate(doc), REMOTE);
  return copy;
}

/** Presses a key, as the page's own key maps have it; answers whether anybody took it. */
export function press(editor: Editor, key: string, more: { readonly ctrlKey?: boolean; readonly shiftKey?: boolean; readonly altKey?: boolean } = {}): boolean {
  const event = { key, keyCode: 0, ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, preventDefault: () => undefined, ...more } as unknown as KeyboardEvent;
  const view = Object.assign(Object.create(null) as object, {
    get state() {
      return editor.state;
    },
    dispatch: (transaction: Transaction) => editor.view.dispatch(transaction),
    composing: false,
    editable: true,
    endOfTextblock: (direction: string) => {
      const { $head } = editor.state.selection;
      return ["backward", "left", "up"].includes(direction) ? $head.parentOffset === 0 : $head.parentOffset === $head.parent.content.size;
    },
    someProp: () => undefined,
  }) as never;
  for (const plugin of editor.state.plugins) if (plugin.props.handleKeyDown?.call(plugin, view, event)) return true;
  return false;
}
