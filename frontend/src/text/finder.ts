// What is looked for in a text, beside its editor. A plugin that comes into an editor, or goes, makes the views of all the
// others end and begin again: an open menu, or the handle of a block, would be gone with each search.
import type { EditorState } from "@tiptap/pm/state";
import type { EditorView } from "@tiptap/pm/view";
import { type SearchQuery, getMatchHighlights, search } from "prosemirror-search";

/** The text of an editor as the commands of the search want it, with what was found in it. */
export type Finder = (state: EditorState) => EditorState;

export function finder(query: SearchQuery): Finder {
  const plugins = [search({ initialQuery: query })];
  let last: { readonly state: EditorState; readonly found: EditorState } | null = null;
  return (state) => {
    if (last?.state !== state) last = { state, found: state.reconfigure({ plugins }) };
    return last.found;
  };
}

/** Marks what is found, until the end that is returned. */
export function showFound(view: EditorView, find: Finder): () => void {
  view.setProps({ decorations: (state) => getMatchHighlights(find(state)) });
  return () => {
    if (!view.isDestroyed) view.setProps({ decorations: () => null });
  };
}
