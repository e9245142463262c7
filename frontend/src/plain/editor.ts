// CodeMirror on a shared text, without a view around it: Markdown or code by the title's ending, undo of one's own
// steps only.
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { markdown, markdownLanguage } from "@codemirror/lang-markdown";
import { bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, dropCursor, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { UndoManager, type Doc } from "yjs";
import type { Awareness } from "y-protocols/awareness";
import { carets, placeOf } from "./carets";
import { CONTENT } from "../documents/roots";
import { LANGUAGES, languageOf } from "./languages";
import { lineEnds } from "./line-ends";

/** Words the editor itself says. `find` are those of its search bar, by CodeMirror's English ones. */
export interface PlainWords {
  readonly label: string;
  readonly placeholder: string;
  readonly nameless: string;
  readonly find: Readonly<Record<string, string>>;
}

export interface PlainEditor {
  readonly view: EditorView;
  readonly setEditable: (editable: boolean) => void;
  readonly setWords: (words: PlainWords) => void;
  /** The title's ending says which language to colour. */
  readonly setTitle: (title: string) => void;
  /** Whether there is a caret of theirs to go to. */
  readonly goTo: (client: number) => boolean;
  readonly find: () => void;
  readonly dispose: () => void;
}

export function createPlainEditor(ports: {
  readonly parent: HTMLElement;
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly words: PlainWords;
}): PlainEditor {
  const text = ports.doc.getText(CONTENT);
  const undoManager = new UndoManager(text);
  const [access, language, said] = [new Compartment(), new Compartment(), new Compartment()];
  let { words } = ports;
  let titled = "";
  let disposed = false;
  const caretPorts = { text, awareness: ports.awareness, nameless: () => words.nameless };

  const view = new EditorView({
    parent: ports.parent,
    state: EditorState.create({
      doc: text.toJSON(),
      extensions: [
        lineEnds(),
        drawSelection(),
        dropCursor(),
        indentOnInput(),
        bracketMatching(),
        EditorView.lineWrapping,
        EditorState.allowMultipleSelections.of(true),
        syntaxHighlighting(classHighlighter),
        search({ top: true }),
        highlightSelectionMatches(),
        keymap.of([...yUndoManagerKeymap, ...searchKeymap, indentWithTab, ...defaultKeymap]),
        access.of(accessTo(false)),
        language.of(prose()),
        said.of(saying(words)),
        yCollab(text, null, { undoManager }),
        carets(caretPorts),
      ],
    }),
  });

  return {
    view,
    setEditable: (editable) => view.dispatch({ effects: access.reconfigure(accessTo(editable)) }),
    setWords: (next) => {
      words = next;
      view.dispatch({ effects: said.reconfigure(saying(next)) });
    },
    setTitle: (title) => {
      const wanted = languageOf(title);
      const name = wanted?.name ?? "";
      if (name === titled) return;
      titled = name;
      if (wanted === null) {
        view.dispatch({ effects: language.reconfigure(prose()) });
        return;
      }
      wanted
        .load()
        .then((support) => {
          if (!disposed && titled === name) view.dispatch({ effects: language.reconfigure([support, lineNumbers(), codeFont]) });
        })
        .catch(() => undefined); // without a network, code without colours
    },
    goTo: (client) => {
      const place = placeOf(caretPorts, client);
      if (place === null || place > view.state.doc.length) return false;
      view.dispatch({ effects: EditorView.scrollIntoView(place, { y: "center" }) });
      return true;
    },
    find: () => void openSearchPanel(view),
    dispose: () => {
      disposed = true;
      view.destroy();
      undoManager.destroy();
    },
  };
}

const codeFont = EditorView.editorAttributes.of({ class: "plain-code" });

function prose(): Extension {
  return markdown({ base: markdownLanguage, codeLanguages: LANGUAGES });
}

function accessTo(editable: boolean): Extension {
  return [EditorState.readOnly.of(!editable), EditorView.editable.of(editable)];
}

function saying(words: PlainWords): Extension {
  return [
    EditorState.phrases.of(words.find),
    placeholder(words.placeholder),
    EditorView.contentAttributes.of({ "aria-label": words.label, spellcheck: "true", autocorrect: "on", autocapitalize: "sentences" }),
  ];
}
