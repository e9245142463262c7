// The handle beside the block under the pointer: dragged it moves the block, pressed it says what else can be done with it.
import type { Editor } from "@tiptap/core";
import type { NodeRange } from "@tiptap/pm/model";
import { NodeSelection, TextSelection, type Transaction } from "@tiptap/pm/state";
import { ArrowDown, ArrowUp, Copy, GripVertical, Heading1, Heading2, Heading3, List, ListChecks, ListOrdered, SquareCode, TextQuote, Trash2, Type } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Menu, type MenuItem } from "../ui/menu";
import { dragged, followDrags } from "./dragging";
import { hasPictures } from "./insertions";
import { blocksAt, deleteBlocks, duplicateBlocks, moveBlocks } from "./move-blocks";

/** `at` is how far down the window the pointer was when this was asked for. */
export function BlockHandle({ editor, at }: { readonly editor: Editor; readonly at: number }): React.JSX.Element {
  const { t } = useTranslation();
  const host = useRef<HTMLDivElement>(null);
  const pointed = usePointedBlock(editor, at);
  const [open, setOpen] = useState<HTMLElement | null>(null);
  /** Just inside the block whose menu is open: others may make something else of it meanwhile. */
  const inside = useRef<number | null>(null);
  const dragging = useRef(false);
  const block = [open, pointed].find((one) => one !== null && editor.view.dom.contains(one)) ?? null;
  const [place, setPlace] = useState<{ readonly left: number; readonly top: number } | null>(null);
  const measure = useCallback(() => {
    // While it is dragged the handle stays, whatever becomes of the block: who begins to drag is told of the end, if it is there.
    if (block?.isConnected === false || dragging.current) return;
    const next = host.current !== null && block !== null ? placeOf(host.current, block) : null;
    setPlace((before) => (before?.left === next?.left && before?.top === next?.top ? before : next));
  }, [block]);
  useLayoutEffect(measure);
  useEffect(() => {
    const onChange = ({ transaction }: { readonly transaction: Transaction }): void => {
      if (inside.current !== null && transaction.docChanged) {
        inside.current = transaction.mapping.map(inside.current);
        const there = editor.view.nodeDOM(inside.current - 1);
        setOpen(there instanceof HTMLElement ? there : null);
      }
      measure();
    };
    editor.on("transaction", onChange);
    return () => void editor.off("transaction", onChange);
  }, [editor, measure]);
  useEffect(() => followDrags(editor), [editor]);

  const range = (): NodeRange | null => (block === null || !editor.view.dom.contains(block) ? null : rangeOf(editor, block));
  const act = (change: (range: NodeRange) => Transaction | null) => (): void => {
    const there = range();
    const transaction = there === null ? null : change(there);
    if (transaction !== null) editor.view.dispatch(transaction);
  };
  /** The caret goes into the block first, so that the rest is what the toolbar would do. */
  const turn = (run: (chain: ReturnType<Editor["chain"]>) => ReturnType<Editor["chain"]>) => (): void => {
    const there = range();
    if (there === null) return;
    const { doc, tr } = editor.state;
    editor.view.dispatch(tr.setSelection(TextSelection.between(doc.resolve(there.start), doc.resolve(there.end))));
    run(editor.chain()).run();
  };
  const inBlock = (there: NodeRange): void => {
    const { doc, tr } = editor.state;
    editor.view.dispatch(tr.setSelection(TextSelection.near(doc.resolve(there.start + 1))));
  };
  const moved = (by: -1 | 1) =>
    act((there) => {
      inBlock(there);
      const again = rangeOf(editor, block as HTMLElement);
      return again === null ? null : moveBlocks(editor.state, again, by);
    });
  const items = (): readonly MenuItem[] => [
    { label: t("block.up"), icon: <ArrowUp />, hint: "Alt ↑", run: moved(-1) },
    { label: t("block.down"), icon: <ArrowDown />, hint: "Alt ↓", run: moved(1) },
    { label: t("block.duplicate"), icon: <Copy />, run: act((there) => duplicateBlocks(editor.state, there)) },
    ...(hasWords(editor, range())
      ? [
          { label: t("tools.text"), icon: <Type />, run: turn((chain) => chain.clearNodes()) },
          { label: t("tools.heading1"), icon: <Heading1 />, run: turn((chain) => chain.clearNodes().setHeading({ level: 1 })) },
          { label: t("tools.heading2"), icon: <Heading2 />, run: turn((chain) => chain.clearNodes().setHeading({ level: 2 })) },
          { label: t("tools.heading3"), icon: <Heading3 />, run: turn((chain) => chain.clearNodes().setHeading({ level: 3 })) },
          { label: t("tools.bullets"), icon: <List />, run: turn((chain) => chain.toggleBulletList()) },
          { label: t("tools.numbers"), icon: <ListOrdered />, run: turn((chain) => chain.toggleOrderedList()) },
          { label: t("tools.tasks"), icon: <ListChecks />, run: turn((chain) => chain.toggleTaskList()) },
          { label: t("tools.quote"), icon: <TextQuote />, run: turn((chain) => chain.toggleBlockquote()) },
          ...(hasPictures(editor.state) ? [] : [{ label: t("tools.codeBlock"), icon: <SquareCode />, run: turn((chain) => chain.toggleCodeBlock()) }]),
        ]
      : []),
    { label: t("block.delete"), icon: <Trash2 />, danger: true, run: act((there) => deleteBlocks(editor.state, there)) },
  ];
  const drag = (event: React.DragEvent): void => {
    const there = range();
    if (there === null || block === null) return;
    const selection = NodeSelection.create(editor.state.doc, there.start);
    editor.view.dispatch(editor.state.tr.setSelection(selection));
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", block.textContent);
    event.dataTransfer.setDragImage(block, 0, 0);
    editor.view.dragging = dragged(selection);
    dragging.current = true;
  };
  /** The handle is outside the text, and so the editor hears nothing of it. */
  const dropped = (): void => {
    editor.view.dragging = null;
    dragging.current = false;
    measure();
  };
  return (
    <div ref={host} className="table-handles">
      {place !== null && (
        <Menu
          align="start"
          items={items}
          onOpen={(is) => {
            setOpen(is ? block : null);
            const there = is ? range() : null;
            inside.current = there === null ? null : there.start + 1;
          }}
          returnFocus={() => editor.view.focus()}
          button={
            <button type="button" className="block-handle" draggable aria-label={t("block.handle")} data-tip={t("block.handle")} onDragStart={drag} onDragEnd={dropped} style={{ insetInlineStart: place.left, insetBlockStart: place.top }}>
              <GripVertical />
            </button>
          }
        />
      )}
    </div>
  );
}

const hasWords = (editor: Editor, range: NodeRange | null): boolean => {
  const node = range?.parent.maybeChild(range.startIndex);
  return editor.isEditable && node != null && node.type.name !== "table" && !node.isAtom;
};

function rangeOf(editor: Editor, block: HTMLElement): NodeRange | null {
  const { doc } = editor.state;
  const at = editor.view.posAtDOM(block, 0);
  const $inside = doc.resolve(Math.min(at, doc.content.size));
  for (let depth = $inside.depth; depth >= 0; depth--) {
    const start = depth === 0 ? $inside.pos : $inside.before(depth);
    if (editor.view.nodeDOM(start) !== block) continue;
    // From outside: what stands in a quote can be moved by itself, too.
    const node = doc.nodeAt(start);
    return node === null ? null : blocksAt(doc.resolve(start), doc.resolve(start + node.nodeSize));
  }
  return null;
}

/** The block under the pointer, or in the line of it, and after that while the pointer is on its way to the handle. */
function usePointedBlock(editor: Editor, at: number): HTMLElement | null {
  const [block, setBlock] = useState(() => blockInLine(editor.view.dom, at));
  useEffect(() => {
    const onMove = ({ target, clientY, pointerType, buttons }: PointerEvent): void => {
      if (pointerType === "touch" || buttons !== 0 || !(target instanceof Element) || target.closest(".table-handles, .menu")) return;
      const { dom } = editor.view;
      if (target.closest(".sheet") === null) return setBlock(null);
      setBlock(blockInLine(dom, clientY));
    };
    document.addEventListener("pointermove", onMove, { passive: true });
    return () => document.removeEventListener("pointermove", onMove);
  }, [editor]);
  return block;
}

/** In a list its item, the innermost. */
function blockInLine(dom: HTMLElement, y: number): HTMLElement | null {
  let found: HTMLElement | null = null;
  let holder: Element = dom;
  for (;;) {
    const next = childAt(holder, y);
    if (!(next instanceof HTMLElement)) return found;
    if (next.matches("ul, ol")) holder = next;
    else {
      found = next;
      const inner = next.matches("li") ? [...next.querySelectorAll(":scope > ul, :scope > ol, :scope > div > ul, :scope > div > ol")].find((list) => list.getBoundingClientRect().top <= y) : undefined;
      if (inner === undefined) return found;
      holder = inner;
    }
  }
}

/** By halves: there may be thousands, and the pointer moves often. What only is drawn among them may stand anywhere. */
function childAt(holder: Element, y: number): Element | null {
  const children = [...holder.children].filter((child) => !child.classList.contains("ProseMirror-widget"));
  let [from, to] = [0, children.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const child = children[middle];
    if (child === undefined) break;
    const { top, bottom } = child.getBoundingClientRect();
    if (top <= y && y <= bottom) return child;
    if (bottom < y) from = middle + 1;
    else to = middle;
  }
  return null;
}

function placeOf(host: HTMLElement, block: HTMLElement): { readonly left: number; readonly top: number } {
  const [origin, box, text] = [host.getBoundingClientRect(), block.getBoundingClientRect(), (block.closest(".prose") ?? block).getBoundingClientRect()];
  const line = parseFloat(getComputedStyle(block.matches("li") ? (block.querySelector("p") ?? block) : block).lineHeight) || 24;
  // A table has handles of its own at its edge.
  const beside = block.matches("table, .tableWrapper") ? 46 : 30;
  return { left: Math.max(text.left - origin.left - beside, 2 - origin.left), top: box.top - origin.top + line / 2 };
}
