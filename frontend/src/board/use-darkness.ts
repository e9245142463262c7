// Whether the page is dark now: by the person's choice, or by the system's.
import { useSyncExternalStore } from "react";
import { useSettings } from "../ui/settings";

const system = matchMedia("(prefers-color-scheme: dark)");

export function useDarkness(): boolean {
  const { theme } = useSettings();
  const dark = useSyncExternalStore(
    (listener) => {
      system.addEventListener("change", listener);
      return () => system.removeEventListener("change", listener);
    },
    () => system.matches,
  );
  return theme === "system" ? dark : theme === "dark";
}
