// What the binding needs of a view, whatever draws it.
import type { BoardElement, Fields } from "./element";

export interface ViewPort {
  /** All shapes in drawing order, deleted ones too. The view may change them in place, and then raises their version. */
  readonly elements: () => readonly BoardElement[];
  /** Shows these from now on, without a step in a history of its own. It may mend an `index`, and nothing else. */
  readonly show: (elements: readonly BoardElement[]) => void;
  /** The lines and the size of a text with these words, within its container if it has one. */
  readonly fit?: (text: Fields, container: Fields | null) => Fields;
  /**
   * Puts words in the place of those somebody here is writing, with the caret where it was among them. `false` if they
   * cannot be touched now; then they are shown when the caret has left.
   */
  readonly retype?: (id: string, words: string) => boolean;
}
