// A menu whose machinery is fetched when somebody reaches for its button: lists have many such buttons, and most visits
// press none.
import { cloneElement, lazy, Suspense, useState, type ComponentProps } from "react";
import type { Menu } from "./menu";

const fetchMenu = () => import("./menu");
const RealMenu = lazy(() => fetchMenu().then((module) => ({ default: module.Menu })));

export function LazyMenu(props: ComponentProps<typeof Menu>): React.JSX.Element {
  const [wanted, setWanted] = useState(false);
  const prefetch = (): void => void fetchMenu().catch(() => undefined);
  const button = cloneElement(props.button, {
    "aria-haspopup": "menu",
    "aria-expanded": false,
    onClick: () => setWanted(true),
    onFocus: prefetch,
    onPointerEnter: prefetch,
  });
  return wanted ? (
    <Suspense fallback={button}>
      <RealMenu {...props} defaultOpen />
    </Suspense>
  ) : (
    button
  );
}
