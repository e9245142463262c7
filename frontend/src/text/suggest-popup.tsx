// The menu at the caret, drawn into the place the plugin keeps beside it. The focus stays in the text.
import { useEffect, useRef } from "react";
import { createPortal } from "react-dom";
import { useStore } from "../ui/store";
import { LIST_ID, offerId, type OpenSuggestion, type SuggestStore } from "./suggest";

export function SuggestPopup(props: { readonly store: SuggestStore }): React.JSX.Element | null {
  const open = useStore(props.store);
  return open && createPortal(<Offers open={open} />, open.host);
}

function Offers(props: { readonly open: OpenSuggestion }): React.JSX.Element {
  const { label, offers, selected, choose, select } = props.open;
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.children[selected]?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <ul ref={list} id={LIST_ID} className="menu suggest" role="listbox" aria-label={label} tabIndex={0}>
      {offers.map((offer, index) => (
        // The text keeps the focus and the keys; the pointer is the second way.
        <li
          key={offer.id}
          id={offerId(index)}
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
