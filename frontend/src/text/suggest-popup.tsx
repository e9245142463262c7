// The menu at the caret, drawn into the place the plugin keeps beside it. The focus stays in the text.
import { createPortal } from "react-dom";
import { fetched } from "../ui/fetched";
import { useStore } from "../ui/store";
import { LIST_ID, offerId, type SuggestStore } from "./suggest-store";

const Offers = fetched(() => import("./suggest-offers").then(({ Offers }) => Offers), { ahead: true });

export function SuggestPopup(props: { readonly store: SuggestStore }): React.JSX.Element | null {
  const open = useStore(props.store);
  return open && createPortal(<Offers open={open} id={LIST_ID} idOf={offerId} />, open.host);
}
