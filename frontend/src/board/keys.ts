// Keys mean the board wherever on the page they are pressed, except where they already mean something: in a field, in a
// menu or a panel, and on a button those that press or leave it. After a click in the bar nobody should have to click the
// board again before `R` draws a rectangle.

/** What a button or a link answers to itself. */
const BUTTON_KEYS: ReadonlySet<string> = new Set(["Enter", " ", "Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);

/** Pressed alone they mean nothing: what they change is the key that follows, which may well be none of the board's. */
const MODIFIERS: ReadonlySet<string> = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "NumLock", "ScrollLock", "Fn"]);

/** Passes keys on to the board while it is not in the focus itself. Returns the end of it. */
export function passKeys(board: () => HTMLElement | null): () => void {
  const onKey = (event: KeyboardEvent): void => {
    const [to, from] = [board(), event.target];
    if (to === null || !event.isTrusted || event.defaultPrevented || !(from instanceof Element) || to.contains(from)) return;
    if (from.closest("input, textarea, select, [contenteditable], [role=menu], [role=dialog], [role=alertdialog], aside")) return;
    if (event.key === "Tab" || MODIFIERS.has(event.key) || event.isComposing || isOfThePage(event)) return;
    if (from.closest("button, a") && BUTTON_KEYS.has(event.key)) return;
    to.focus();
    const copy = new KeyboardEvent(event.type, { ...initOf(event), bubbles: true, cancelable: true });
    if (!to.dispatchEvent(copy)) event.preventDefault();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/** Help and the palette: the page's, as long as the board has not the focus. */
function isOfThePage(event: KeyboardEvent): boolean {
  return event.key === "?" || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k");
}

/** What a key on the board is for, where Excalidraw would make something else of it. */
export type Taken =
  /** The page's sheet of keys, which knows ours too. */
  | "help"
  /** The page's palette: there is nothing to link. */
  | "palette"
  | "note"
  /** The browser's: Excalidraw only says that it has a palette, which it has not here. */
  | "browser"
  /** Nobody's: it would clear the board for everybody. */
  | "nothing";

/** `null` for a key that is Excalidraw's. */
export function takenFrom(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">, board: { readonly selected: number; readonly editable: boolean }): Taken | null {
  const mod = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (key === "?" && !mod && !event.altKey) return "help";
  if (mod && (key === "delete" || key === "backspace")) return "nothing";
  if (event.altKey || event.shiftKey) return null;
  if (mod && key === "k" && !(board.editable && board.selected === 1)) return "palette";
  if (mod && key === "p") return "browser";
  return !mod && key === "n" && board.editable ? "note" : null;
}

/** Whether letters pressed there are written there. The board's tools are fields too, of a kind that nobody writes in. */
export function isWriting(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input:not([type=radio], [type=checkbox], [type=range], [type=button]), textarea, select, [contenteditable]:not([contenteditable=false])") !== null;
}

function initOf({ key, code, ctrlKey, metaKey, shiftKey, altKey, repeat }: KeyboardEvent): KeyboardEventInit {
  return { key, code, ctrlKey, metaKey, shiftKey, altKey, repeat };
}
