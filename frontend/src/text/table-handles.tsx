// Handles at the table one is in: one at its row, one at its column, one at its corner, each with what can be done to it.
// They go to the cell under the pointer, or else to the one with the caret in it.
import type { Editor } from "@tiptap/core";
import { TextSelection } from "@tiptap/pm/state";
import { CellSelection } from "@tiptap/pm/tables";
import { ArrowDownToLine, ArrowLeftToLine, ArrowRightToLine, ArrowUpToLine, GripHorizontal, GripVertical, PanelTop, Table, Trash2 } from "lucide-react";
import { Toolbar as Bar } from "radix-ui";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Menu, type MenuItem } from "../ui/menu";

/** Where the handles stand, in px from the corner of the page's part that scrolls with the text. */
interface Places {
  readonly left: number;
  readonly top: number;
  readonly column: number | null;
  readonly row: number;
}

export function TableHandles(props: { readonly editor: Editor }): React.JSX.Element | null {
  const { t } = useTranslation();
  const { editor } = props;
  const host = useRef<HTMLDivElement>(null);
  const pointed = usePointedCell(editor);
  const [caret, setCaret] = useState(() => cellAtCaret(editor));
  const [open, setOpen] = useState<HTMLElement | null>(null);
  // What was done may have taken the cell away, and with it the handle whose menu was open.
  const cell = [open, pointed, caret].find((one) => one !== null && editor.view.dom.contains(one)) ?? null;
  const [places, measure] = usePlaces(host, cell);
  useLayoutEffect(measure);
  useEffect(() => {
    // Any change may have moved the table; nothing is drawn anew unless one has.
    const onChange = (): void => {
      setCaret(cellAtCaret(editor));
      measure();
    };
    onChange();
    editor.on("transaction", onChange);
    return () => void editor.off("transaction", onChange);
  }, [editor, measure]);

  /** The caret goes where the handle stands, unless several cells are selected there. */
  const act = (run: (chain: ReturnType<Editor["chain"]>) => ReturnType<Editor["chain"]>) => (): void => {
    if (cell === null || !editor.view.dom.contains(cell)) return;
    const place = editor.view.posAtDOM(cell, 0);
    const chain = editor.chain().focus(undefined, { scrollIntoView: false });
    const { selection } = editor.state;
    const several = selection instanceof CellSelection && cell.classList.contains("selectedCell");
    run(several ? chain : chain.command(({ tr }) => Boolean(tr.setSelection(TextSelection.near(tr.doc.resolve(place)))))).run();
  };
  const rows: readonly MenuItem[] = [
    { label: t("table.rowBefore"), icon: <ArrowUpToLine />, run: act((chain) => chain.addRowBefore()) },
    { label: t("table.rowAfter"), icon: <ArrowDownToLine />, run: act((chain) => chain.addRowAfter()) },
    { label: t("table.deleteRow"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteRow()) },
  ];
  const columns: readonly MenuItem[] = [
    { label: t("table.columnBefore"), icon: <ArrowLeftToLine />, run: act((chain) => chain.addColumnBefore()) },
    { label: t("table.columnAfter"), icon: <ArrowRightToLine />, run: act((chain) => chain.addColumnAfter()) },
    { label: t("table.deleteColumn"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteColumn()) },
  ];
  const whole: readonly MenuItem[] = [
    { label: t("table.header"), icon: <PanelTop />, run: act((chain) => chain.toggleHeaderRow()) },
    { label: t("table.delete"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteTable()) },
  ];
  const handles = places === null ? [] : [
    { key: "whole", label: t("table.toolbar"), icon: <Table />, items: whole, left: places.left, top: places.top },
    ...(places.column === null ? [] : [{ key: "column", label: t("table.column"), icon: <GripHorizontal />, items: columns, left: places.column, top: places.top }]),
    { key: "row", label: t("table.row"), icon: <GripVertical />, items: rows, left: places.left, top: places.row },
  ];
  return (
    <div ref={host} className="table-handles">
      {handles.length > 0 && (
        <Bar.Root aria-label={t("table.toolbar")} onKeyDown={(event) => event.key === "Escape" && open === null && editor.commands.focus()}>
          {handles.map(({ key, label, icon, items, left, top }) => (
            <Menu
              key={key}
              align="start"
              items={items}
              onOpen={(is) => setOpen(is ? cell : null)}
              returnFocus={() => editor.commands.focus(undefined, { scrollIntoView: false })}
              button={
                <Bar.Button className="table-handle" data-handle={key} aria-label={label} style={{ insetInlineStart: left, insetBlockStart: top }}>
                  {icon}
                </Bar.Button>
              }
            />
          ))}
        </Bar.Root>
      )}
    </div>
  );
}

function cellAtCaret(editor: Editor): HTMLElement | null {
  const { selection } = editor.state;
  const place = selection instanceof CellSelection ? selection.$headCell.pos + 1 : selection.from;
  const { node } = editor.view.domAtPos(place);
  const cell = (node instanceof Element ? node : node.parentElement)?.closest<HTMLElement>("td, th") ?? null;
  return cell !== null && editor.view.dom.contains(cell) ? cell : null;
}

/** The cell under the pointer, and after that while the pointer is on its way to a handle of it. */
function usePointedCell(editor: Editor): HTMLElement | null {
  const [cell, setCell] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const onPoint = ({ target, pointerType }: PointerEvent): void => {
      if (pointerType === "touch" || !(target instanceof Element) || target.closest(".table-handles, .menu")) return;
      const pointed = target.closest<HTMLElement>("td, th");
      setCell(pointed !== null && editor.view.dom.contains(pointed) ? pointed : null);
    };
    document.addEventListener("pointerover", onPoint);
    return () => document.removeEventListener("pointerover", onPoint);
  }, [editor]);
  return cell;
}

function usePlaces(host: React.RefObject<HTMLElement | null>, cell: HTMLElement | null): [Places | null, () => void] {
  const [places, setPlaces] = useState<Places | null>(null);
  const measure = useCallback(() => {
    const wrapper = cell?.closest<HTMLElement>(".tableWrapper") ?? cell?.closest("table");
    const next = host.current && cell && wrapper ? placesOf(host.current, wrapper, cell) : null;
    setPlaces((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
  }, [host, cell]);
  useEffect(() => {
    const table = cell?.closest("table");
    if (!table) return;
    const observer = new ResizeObserver(measure);
    observer.observe(table);
    // A wide table scrolls within its place.
    document.addEventListener("scroll", measure, { capture: true, passive: true });
    return () => {
      observer.disconnect();
      document.removeEventListener("scroll", measure, { capture: true });
    };
  }, [cell, measure]);
  return [cell === null ? null : places, measure];
}

function placesOf(host: HTMLElement, wrapper: Element, cell: HTMLElement): Places {
  const [origin, table, box] = [host.getBoundingClientRect(), wrapper.getBoundingClientRect(), cell.getBoundingClientRect()];
  const middle = box.left + box.width / 2;
  const column = Math.min(Math.max(middle, table.left), table.right);
  return {
    left: table.left - origin.left,
    top: table.top - origin.top,
    // Of a column that is scrolled out of sight nothing stands there.
    column: box.right <= table.left || box.left >= table.right ? null : column - origin.left,
    row: box.top + box.height / 2 - origin.top,
  };
}
