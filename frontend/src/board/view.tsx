// The view of a board: Excalidraw in the whole of the page, and the outline beside it.
import { FileDown, FileUp, Image, ListTree, Shapes } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { sendPicture } from "../documents/picture-fate";
import type { ViewProps } from "../documents/view";
import { useTitle } from "../documents/title-input";
import { isCalm } from "../ui/motion";
import { useRail } from "../ui/rail";
import { showToast } from "../ui/toast";
import { Board, type OpenBoard } from "./board";
import { bringIn, pngOf, save, sceneFileOf, svgOf } from "./file";
import { OutlinePanel } from "./outline-panel";
import "./board.css";

export function BoardView(props: ViewProps): React.JSX.Element {
  const { t } = useTranslation();
  const { api, name, room, editable, onHandle } = props;
  const title = useTitle(room.doc);
  const [board, setBoard] = useState<OpenBoard | null>(null);
  const [outlined, setOutlined] = useRail("outline");
  const chooser = useRef<HTMLInputElement>(null);
  const page = useRef<HTMLDivElement>(null);

  const send = useCallback((file: Blob, signal: AbortSignal) => sendPicture(api, name, file, signal), [api, name]);
  const bring = useCallback(
    (open: OpenBoard, file: Blob): void => {
      bringIn(open.api, file)
        .then((count) => showToast({ text: t("board.broughtIn", { count }) }))
        .catch(() => showToast({ text: t("board.notAScene") }));
    },
    [t],
  );

  useEffect(() => {
    if (board === null) return setOutlined(false);
    const download = (make: () => Promise<Blob> | Blob, ending: string): void => {
      if (board.api.getSceneElements().length === 0) return showToast({ text: t("board.nothingToExport") });
      Promise.resolve(make())
        .then((blob) => save(blob, title, ending))
        .catch(() => showToast({ text: t("board.notExported") }));
    };
    onHandle({
      goTo: (client) => void board.session.goTo(client),
      focus: board.focus,
      items: () => [
        { label: t("board.outline"), icon: <ListTree />, run: () => setOutlined(true) },
        { label: t("board.png"), icon: <Image />, run: () => download(() => pngOf(board.api), "png") },
        { label: t("board.svg"), icon: <Shapes />, run: () => download(() => svgOf(board.api), "svg") },
        { label: t("board.save"), icon: <FileDown />, run: () => download(() => sceneFileOf(board.api), "excalidraw") },
        ...(editable ? [{ label: t("board.bringIn"), icon: <FileUp />, run: () => chooser.current?.click() }] : []),
      ],
    });
    return () => onHandle(null);
  }, [board, editable, onHandle, setOutlined, t, title]);

  const goTo = (id: string): void => {
    const element = board?.api.getSceneElements().find((one) => one.id === id);
    if (!board || !element) return;
    board.api.updateScene({ appState: { selectedElementIds: { [id]: true } } });
    board.api.scrollToContent(element, { fitToContent: true, animate: !isCalm(), duration: 250 });
    // Where the outline covers the board, what one went to would not be seen.
    const panel = page.current?.querySelector(".outline");
    if (page.current && panel && panel.clientWidth >= page.current.clientWidth) {
      setOutlined(false);
      board.focus();
    }
  };

  return (
    <div ref={page} className="board-page">
      <Board
        room={room}
        sendPicture={send}
        title={title}
        editable={editable}
        outlined={outlined}
        onOutline={() => setOutlined(!outlined)}
        onFile={bring}
        onOpen={setBoard}
      />
      {outlined && board && (
        <OutlinePanel
          session={board.session}
          onGoTo={goTo}
          onClose={() => {
            setOutlined(false);
            board.focus();
          }}
        />
      )}
      <input
        ref={chooser}
        type="file"
        hidden
        accept=".excalidraw,.json,image/png,image/svg+xml"
        aria-label={t("board.bringIn")}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file && board) bring(board, file);
        }}
      />
    </div>
  );
}
