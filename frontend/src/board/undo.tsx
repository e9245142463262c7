// Undo and redo under Excalidraw's own buttons and keys, but of this board's history: one's own steps, never a
// colleague's. Excalidraw looks its actions up by name, and these take the place of its two.
import type { Action } from "@excalidraw/excalidraw/actions/types";
import { Redo2, Undo2 } from "lucide-react";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { BoardHistory } from "./history";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export function undoActions(history: BoardHistory): readonly Action[] {
  const control = (event: KeyboardEvent | React.KeyboardEvent): boolean => (isMac ? event.metaKey : event.ctrlKey) && !event.altKey;
  return [
    {
      name: "undo",
      label: "buttons.undo",
      trackEvent: false,
      perform: () => {
        history.undo();
        return false;
      },
      keyTest: (event) => control(event) && !event.shiftKey && event.key.toLowerCase() === "z",
      PanelComponent: () => <HistoryButton history={history} way="undo" />,
    },
    {
      name: "redo",
      label: "buttons.redo",
      trackEvent: false,
      perform: () => {
        history.redo();
        return false;
      },
      keyTest: (event) =>
        control(event) && ((event.shiftKey && event.key.toLowerCase() === "z") || (!isMac && !event.shiftKey && event.key.toLowerCase() === "y")),
      PanelComponent: () => <HistoryButton history={history} way="redo" />,
    },
  ];
}

function HistoryButton(props: { readonly history: BoardHistory; readonly way: "undo" | "redo" }): React.JSX.Element {
  const { t } = useTranslation();
  const { history, way } = props;
  const can = useSyncExternalStore(history.subscribe, way === "undo" ? history.canUndo : history.canRedo);
  return (
    <button
      type="button"
      className="ToolIcon_type_button ToolIcon_size_medium ToolIcon_type_button--show ToolIcon board-undo"
      aria-label={t(`tools.${way}`)}
      disabled={!can}
      onClick={history[way]}
    >
      <div className="ToolIcon__icon" aria-hidden="true">
        {way === "undo" ? <Undo2 /> : <Redo2 />}
      </div>
    </button>
  );
}
