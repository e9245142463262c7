// What the menu at the caret offers: a list whose keys are the text's own, for the focus stays there.
import { useEffect, useRef } from "react";
import type { OpenSuggestion } from "./suggest-store";

/** `id` is the list's, as the text names it, and `idOf` those of what is in it. */
export function Offers(props: { readonly open: OpenSuggestion; readonly id: string; readonly idOf: (index: number) => string }): React.JSX.Element {
  const { label, offers, selected, choose, select } = props.open;
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.children[selected]?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <ul ref={list} id={props.id} className="menu suggest" role="listbox" aria-label={label} tabIndex={0}>
      {offers.map((offer, index) => (
        // The text keeps the focus and the keys; the pointer is the second way.
        <li
          key={offer.id}
          id={props.idOf(index)}
          role="option"
          aria-selected={index === selected}
          className="menu-item"
          data-highlighted={index === selected ? "" : undefined}
          onPointerMove={() => index !== selected && select(index)}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => choose(offer)}
        >
          {offer.icon}
          <span className="menu-label">{offer.label}</span>
          {offer.hint && <kbd>{offer.hint}</kbd>}
        </li>
      ))}
    </ul>
  );
}
