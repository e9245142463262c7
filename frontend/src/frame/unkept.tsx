// What is said on every page while a document that was left has changes that this browser cannot store.
import { TriangleAlert } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "../ui/store";
import { leftUnkept } from "./rooms";

export function Unkept(): React.JSX.Element | null {
  const { t } = useTranslation();
  const active = useStore(leftUnkept) > 0;
  useLeaveGuard(active);
  if (!active) return null;
  return (
    <div className="banner banner-top danger" role="alert">
      <TriangleAlert aria-hidden="true" />
      <p>{t("status.leftInThisTab")}</p>
    </div>
  );
}

/** Asks before the tab is closed, as long as closing it would lose words. */
export function useLeaveGuard(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [active]);
}
