// Handles at the table one is in: one at its row, one at its column, one at its corner, each with what can be done to it.
// They go to the cell under the pointer, or else to the one with the caret in it.
import type { Editor } from "@tiptap/core";
import { TextSelection } from "@tiptap/pm/state";
import { CellSelection } from "@tiptap/pm/tables";
import { ArrowDown, ArrowDownToLine, ArrowLeft, ArrowLeftToLine, ArrowRight, ArrowRightToLine, ArrowUp, ArrowUpToLine, GripHorizontal, GripVertical, PanelLeft, PanelTop, Table, TableCellsMerge, TableCellsSplit, Trash2 } from "lucide-react";
import { Toolbar as Bar } from "radix-ui";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Menu, type MenuItem } from "../ui/menu";
import { moveColumn, moveRow } from "./move-rows";

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
  const [open, setOpen] = useState<{ readonly handle: string; readonly cell: HTMLElement | null; readonly name: CellName | null } | null>(null);
  // What was done may have taken the cell away, and with it the handle whose menu was open.
  const cell = [open?.cell ?? null, pointed, caret].find((one) => one !== null && editor.view.dom.contains(one)) ?? null;
  const [places, measure] = usePlaces(host, cell);
  useLayoutEffect(measure);
  useEffect(() => {
    // Any change may have moved the table; nothing is drawn anew unless one has.
    const onChange = (): void => {
      setCaret(cellAtCaret(editor));
      setOpen((before) => (before === null ? null : { ...before, cell: elementAt(editor, placeOf(editor, before.name)) ?? before.cell }));
      measure();
    };
    onChange();
    editor.on("transaction", onChange);
    return () => void editor.off("transaction", onChange);
  }, [editor, measure]);

  /** Within the cell whose menu is open, wherever others have moved it to meanwhile. */
  const inside = (): number | null => placeOf(editor, open?.name ?? null) ?? (cell !== null && editor.view.dom.contains(cell) ? editor.view.posAtDOM(cell, 0) : null);
  /** The caret goes where the handle stands, unless several cells are selected there. */
  const act = (run: (chain: ReturnType<Editor["chain"]>) => ReturnType<Editor["chain"]>) => (): void => {
    const place = inside();
    if (cell === null || place === null) return;
    const chain = editor.chain();
    const { selection } = editor.state;
    const several = selection instanceof CellSelection && cell.classList.contains("selectedCell");
    run(several ? chain : chain.command(({ tr }) => Boolean(tr.setSelection(TextSelection.near(tr.doc.resolve(place)))))).run();
  };
  const move = (kind: "row" | "column", by: -1 | 1) => (): void => {
    const place = inside();
    if (place !== null) (kind === "row" ? moveRow : moveColumn)(place, by)(editor.state, editor.view.dispatch);
  };
  const rows: readonly MenuItem[] = [
    { label: t("table.rowBefore"), icon: <ArrowUpToLine />, run: act((chain) => chain.addRowBefore()) },
    { label: t("table.rowAfter"), icon: <ArrowDownToLine />, run: act((chain) => chain.addRowAfter()) },
    { label: t("table.rowUp"), icon: <ArrowUp />, run: move("row", -1) },
    { label: t("table.rowDown"), icon: <ArrowDown />, run: move("row", 1) },
    { label: t("table.deleteRow"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteRow()) },
  ];
  const columns: readonly MenuItem[] = [
    { label: t("table.columnBefore"), icon: <ArrowLeftToLine />, run: act((chain) => chain.addColumnBefore()) },
    { label: t("table.columnAfter"), icon: <ArrowRightToLine />, run: act((chain) => chain.addColumnAfter()) },
    { label: t("table.columnLeft"), icon: <ArrowLeft />, run: move("column", -1) },
    { label: t("table.columnRight"), icon: <ArrowRight />, run: move("column", 1) },
    { label: t("table.deleteColumn"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteColumn()) },
  ];
  const whole: readonly MenuItem[] = [
    { label: t("table.header"), icon: <PanelTop />, run: act((chain) => chain.toggleHeaderRow()) },
    { label: t("table.headerColumn"), icon: <PanelLeft />, run: act((chain) => chain.toggleHeaderColumn()) },
    ...(editor.can().mergeCells() ? [{ label: t("table.merge"), icon: <TableCellsMerge />, run: act((chain) => chain.mergeCells()) }] : []),
    ...(editor.can().splitCell() ? [{ label: t("table.split"), icon: <TableCellsSplit />, run: act((chain) => chain.splitCell()) }] : []),
    { label: t("table.delete"), icon: <Trash2 />, danger: true, run: act((chain) => chain.deleteTable()) },
  ];
  const handles = places === null ? [] : [
    { key: "whole", label: t("table.toolbar"), icon: <Table />, items: whole, left: places.left, top: places.top },
    // What others do may move the column out of sight; what is open stays.
    ...(places.column === null && open?.handle !== "column" ? [] : [{ key: "column", label: t("table.column"), icon: <GripHorizontal />, items: columns, left: places.column ?? places.left, top: places.top }]),
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
              // One opens before the other is told that it closes.
              onOpen={(is) => setOpen((before) => (is ? { handle: key, cell, name: cell === null ? null : nameOf(editor, cell) } : before?.handle === key ? null : before))}
              returnFocus={() => editor.view.focus()}
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

/** Which cell it is for everybody: what its row is called, and its column. */
interface CellName {
  readonly row: unknown;
  readonly column: unknown;
}

function nameOf(editor: Editor, cell: HTMLElement): CellName | null {
  const $inside = editor.state.doc.resolve(editor.view.posAtDOM(cell, 0));
  for (let depth = $inside.depth; depth > 0; depth--) {
    const { type, attrs } = $inside.node(depth);
    if (type.name === "tableCell" || type.name === "tableHeader") return { row: $inside.node(depth - 1).attrs["row"], column: attrs["column"] };
  }
  return null;
}

function placeOf({ state }: Editor, name: CellName | null): number | null {
  if (typeof name?.row !== "string" || typeof name.column !== "string") return null;
  let found: number | null = null;
  state.doc.descendants((node, place, row) => {
    if (node.attrs["column"] === name.column && row?.attrs["row"] === name.row) found ??= place + 1;
    return found === null && !node.isTextblock;
  });
  return found;
}

function elementAt(editor: Editor, place: number | null): HTMLElement | null {
  if (place === null) return null;
  const { node } = editor.view.domAtPos(place);
  return (node instanceof Element ? node : node.parentElement)?.closest<HTMLElement>("td, th") ?? null;
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
    // What somebody else does may have put another in its place: that one is measured as soon as it is known.
    if (cell?.isConnected === false) return;
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
