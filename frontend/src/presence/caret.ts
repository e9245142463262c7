// One caret of somebody else as an element: a line in their colour with their name above it. Every kind of text draws
// the same one; frame/page.css dresses it, and writes the name: there is no letter in it that a browser which joins two
// lines on its own could make a part of the text.

export function drawCaret(client: number, person: { readonly name: string; readonly colour: string }): HTMLElement {
  const caret = document.createElement("span");
  caret.className = "caret";
  caret.dataset["client"] = String(client);
  caret.setAttribute("aria-hidden", "true");
  const label = document.createElement("span");
  label.className = "caret-name";
  caret.append(label);
  dressCaret(caret, person);
  return caret;
}

export function dressCaret(caret: HTMLElement, person: { readonly name: string; readonly colour: string }): void {
  caret.style.setProperty("--caret", person.colour);
  const label = caret.firstElementChild;
  if (label instanceof HTMLElement && label.dataset["name"] !== person.name) label.dataset["name"] = person.name;
}

/** The caret of one client, if it is drawn at the moment. */
export function caretOf(editor: Element, client: number): HTMLElement | null {
  return editor.querySelector<HTMLElement>(`.caret[data-client="${client}"]`);
}

/** A name that would stand out of the text's right edge is written to the left of its caret. */
export function turnCaret(caret: HTMLElement, text: Element): void {
  const label = caret.firstElementChild;
  if (label === null) return;
  const room = text.getBoundingClientRect().right - caret.getBoundingClientRect().left;
  caret.toggleAttribute("data-flip", label.getBoundingClientRect().width > room);
}
