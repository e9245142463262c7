// One short message at the lower left, sometimes with a way back. A new one replaces the old one; it leaves by itself,
// but not while somebody's pointer or focus is on it.
import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "./live-region";
import { createStore, useStore } from "./store";

export interface Toast {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** Long enough to read a sentence and reach the button, in ms. */
const STAY = 7_000;

const current = createStore<Toast | null>(null);

export function showToast(toast: Toast): void {
  current.set({ ...toast });
  announce(toast.text);
}

export function Toasts(): React.JSX.Element | null {
  const { t } = useTranslation();
  const toast = useStore(current);
  const [held, setHeld] = useState(false);

  useEffect(() => {
    if (toast === null || held) return;
    const timer = setTimeout(() => current.set(null), STAY);
    return () => clearTimeout(timer);
  }, [toast, held]);

  if (toast === null) return null;
  const close = (): void => {
    setHeld(false);
    current.set(null);
  };
  return (
    <div
      className="toast"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span>{toast.text}</span>
      {toast.action && (
        <button
          type="button"
          className="toast-action"
          onClick={() => {
            toast.action?.run();
            close();
          }}
        >
          {toast.action.label}
        </button>
      )}
      <button type="button" className="icon-button toast-close" aria-label={t("app.dismiss")} onClick={close}>
        <X />
      </button>
    </div>
  );
}
