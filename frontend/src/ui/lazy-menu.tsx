// A menu whose machinery is fetched when somebody reaches for its button: lists have many such buttons, and most visits
// press none.
import { cloneElement, useState, type ComponentProps } from "react";
import { fetched } from "./fetched";
import type { Menu } from "./menu";

const RealMenu = fetched(() => import("./menu").then(({ Menu }) => Menu), { ahead: true });

const fetchMenu = RealMenu.prefetch;

export function LazyMenu(props: ComponentProps<typeof Menu>): React.JSX.Element {
  const [wanted, setWanted] = useState(false);
  const button = cloneElement(props.button, {
    "aria-haspopup": "menu",
    "aria-expanded": false,
    onClick: () => setWanted(true),
    // Whoever no longer wants it, while it is still on its way, should not get it.
    onKeyDown: (event) => event.key === "Escape" && setWanted(false),
    onFocus: fetchMenu,
    onPointerEnter: fetchMenu,
  });
  return wanted ? <RealMenu {...props} defaultOpen fallback={button} onMissing={() => setWanted(false)} /> : button;
}
