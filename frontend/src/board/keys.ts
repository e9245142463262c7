// Keys mean the board wherever on the page they are pressed, except where they already mean something: in a field, in a
// menu or a panel, and on a button those that press or leave it. After a click in the bar nobody should have to click the
// board again before `R` draws a rectangle.

/** What a button or a link answers to itself. */
const BUTTON_KEYS: ReadonlySet<string> = new Set(["Enter", " ", "Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);

/** Passes keys on to the board while it is not in the focus itself. Returns the end of it. */
export function passKeys(board: () => HTMLElement | null): () => void {
  const onKey = (event: KeyboardEvent): void => {
    const [to, from] = [board(), event.target];
    if (to === null || !event.isTrusted || event.defaultPrevented || !(from instanceof Element) || to.contains(from)) return;
    if (from.closest("input, textarea, select, [contenteditable], [role=menu], [role=dialog], [role=alertdialog], aside")) return;
    if (event.key === "Tab" || event.isComposing || isOfThePage(event)) return;
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

function initOf({ key, code, ctrlKey, metaKey, shiftKey, altKey, repeat }: KeyboardEvent): KeyboardEventInit {
  return { key, code, ctrlKey, metaKey, shiftKey, altKey, repeat };
}
