// One short message at the lower left, sometimes with a way back. A new one replaces the old one; it leaves by itself,
// but not while somebody's pointer or focus is on it. One that asks for a decision stays, and what comes waits behind it.
import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "./live-region";
import { createStore, useStore } from "./store";

export interface Toast {
  readonly text: string;
  readonly action?: ToastAction;
  readonly other?: ToastAction;
  /** Until it is answered or put away. */
  readonly stays?: boolean;
}

interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

/** Long enough to read a sentence and reach the button, in ms. */
const STAY = 7_000;

const current = createStore<Toast | null>(null);
const behind: Toast[] = [];

export function showToast(toast: Toast): void {
  if (current.get()?.stays) behind.push(toast);
  else present(toast);
}

function present(toast: Toast): void {
  current.set({ ...toast });
  announce(toast.text);
}

/** The newest of those that waited, and all that stay. */
function next(): void {
  const last = behind.length - 1;
  const at = behind.findIndex(({ stays }, index) => stays === true || index === last);
  const [toast] = behind.splice(0, at + 1).slice(-1);
  if (toast === undefined) current.set(null);
  else present(toast);
}

export function Toasts(): React.JSX.Element | null {
  const { t } = useTranslation();
  const toast = useStore(current);
  const [held, setHeld] = useState(false);

  useEffect(() => {
    if (toast === null || held || toast.stays) return;
    const timer = setTimeout(next, STAY);
    return () => clearTimeout(timer);
  }, [toast, held]);

  if (toast === null) return null;
  const close = (): void => {
    setHeld(false);
    next();
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
      {[toast.action, toast.other].map(
        (action) =>
          action && (
            <button
              key={action.label}
              type="button"
              className="toast-action"
              onClick={() => {
                action.run();
                close();
              }}
            >
              {action.label}
            </button>
          ),
      )}
      <button type="button" className="icon-button toast-close" aria-label={t("app.dismiss")} onClick={close}>
        <X />
      </button>
    </div>
  );
}
