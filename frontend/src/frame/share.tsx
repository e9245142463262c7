// Sharing: a button that says what a link allows before it hands one over. What is behind it is fetched when somebody
// reaches for it.
import { useState } from "react";
import type { DocumentName } from "../documents/name";
import { fetched } from "../ui/fetched";
import { ShareButton } from "./share-button";

const SharePopover = fetched(() => import("./share-popover").then(({ SharePopover }) => SharePopover), { ahead: true });

export function Share(props: { readonly name: DocumentName; readonly editable: boolean }): React.JSX.Element {
  const [wanted, setWanted] = useState(false);
  const button = (
    <ShareButton
      aria-haspopup="dialog"
      aria-expanded={false}
      onClick={() => setWanted(true)}
      onFocus={SharePopover.prefetch}
      onPointerEnter={SharePopover.prefetch}
    />
  );
  return wanted ? <SharePopover {...props} fallback={button} onMissing={() => setWanted(false)} /> : button;
}
