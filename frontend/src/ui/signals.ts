// The browser's signals, in the shape the sync layer asks for.
import type { Signals } from "../sync/room";

export const browserSignals: Signals = {
  network: () => (navigator.onLine ? "up" : "down"),
  onNetwork: (listener) => {
    const up = (): void => listener("up");
    const down = (): void => listener("down");
    window.addEventListener("online", up);
    window.addEventListener("offline", down);
    return () => {
      window.removeEventListener("online", up);
      window.removeEventListener("offline", down);
    };
  },
  onWake: (listener) => {
    const visible = (): void => {
      if (document.visibilityState === "visible") listener();
    };
    document.addEventListener("visibilitychange", visible);
    window.addEventListener("focus", listener);
    return () => {
      document.removeEventListener("visibilitychange", visible);
      window.removeEventListener("focus", listener);
    };
  },
};
