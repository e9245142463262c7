// Images that come into the text: while one is on its way its place is held by a sign that moves with the words around
// it and is nobody else's business; then its address is written. The bytes never enter the document.
import { Extension, type Editor } from "@tiptap/core";
import { Plugin, PluginKey, Selection } from "@tiptap/pm/state";
import { Decoration, DecorationSet } from "@tiptap/pm/view";
import type { Upload } from "../documents/upload";
import { pictureViews, type PicturesPort } from "./picture-view";

export interface ImagesPorts extends PicturesPort {
  readonly upload: (file: File) => Promise<Upload>;
  /** The words of the place held, and what is said when an image was refused. */
  readonly uploading: () => string;
  readonly refused: (reason: string) => void;
  /** An image that got through, of which the place is gone by then: with the block around it, or with the page. */
  readonly placeless: (file: File) => void;
}

type Meta = { readonly add: { readonly id: object; readonly at: number } } | { readonly remove: object };

const key = new PluginKey<DecorationSet>("images");

export function images(ports: ImagesPorts): Extension {
  return Extension.create({
    name: "images",
    addProseMirrorPlugins() {
      const { editor } = this;
      return [
        pictureViews(ports),
        new Plugin<DecorationSet>({
          key,
          state: {
            init: () => DecorationSet.empty,
            apply: (transaction, set) => {
              const mapped = set.map(transaction.mapping, transaction.doc);
              const meta = transaction.getMeta(key) as Meta | undefined;
              if (meta === undefined) return mapped;
              if ("remove" in meta) return mapped.remove(mapped.find(undefined, undefined, heldBy(meta.remove)));
              return mapped.add(transaction.doc, [Decoration.widget(meta.add.at, () => placeholder(ports.uploading()), { id: meta.add.id, side: -1 })]);
            },
          },
          props: {
            decorations: (state) => key.getState(state),
            handlePaste: (_view, event) => {
              const files = [...(event.clipboardData?.files ?? [])];
              // A cell copied from a spreadsheet brings a picture of itself beside its words; the words are meant.
              if (files.length === 0 || event.clipboardData?.types.includes("text/plain")) return false;
              insertImages(editor, files, ports);
              return true;
            },
            handleDrop: (view, event, _slice, moved) => {
              const files = moved ? [] : [...(event.dataTransfer?.files ?? [])];
              if (files.length === 0) return false;
              event.preventDefault();
              const at = view.posAtCoords({ left: event.clientX, top: event.clientY })?.pos;
              insertImages(editor, files, ports, at);
              return true;
            },
          },
        }),
      ];
    },
  });
}

const heldBy =
  (id: object) =>
  (spec: { readonly id?: unknown }): boolean =>
    spec.id === id;

/** What is dropped beside the text belongs into it, too, and never opens in place of the page. Returns the end of it. */
export function takeDropped(editor: Editor, ports: ImagesPorts): () => void {
  const isFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes("Files") === true;
  const over = (event: DragEvent): void => {
    if (isFiles(event)) event.preventDefault();
  };
  const drop = (event: DragEvent): void => {
    if (event.defaultPrevented || !isFiles(event)) return;
    event.preventDefault();
    if (editor.isEditable) insertImages(editor, [...(event.dataTransfer?.files ?? [])], ports, nearest(editor, event.clientY));
  };
  document.addEventListener("dragover", over);
  document.addEventListener("drop", drop);
  return () => {
    document.removeEventListener("dragover", over);
    document.removeEventListener("drop", drop);
  };
}

/** The place in the text beside this height; its end below the last line. */
function nearest({ state, view }: Editor, top: number): number {
  const { left, bottom } = view.dom.getBoundingClientRect();
  const end = Selection.atEnd(state.doc).to;
  return top > bottom ? end : (view.posAtCoords({ left: left + 1, top })?.pos ?? (top < bottom ? Selection.atStart(state.doc).from : end));
}

/** Stores images and writes them where they were put, or at the caret, in the order they were given in. */
export function insertImages(editor: Editor, files: readonly File[], ports: ImagesPorts, at?: number): void {
  const one = async (place: number, [file, ...rest]: readonly File[]): Promise<void> => {
    if (file === undefined) return;
    const end = await insert(editor, file, ports, place);
    if (!editor.isDestroyed) await one(end ?? editor.state.selection.to, rest);
  };
  void one(at ?? editor.state.selection.to, files);
}

/** Answers the place behind it. */
async function insert(editor: Editor, file: File, ports: ImagesPorts, at: number): Promise<number | null> {
  const id = {};
  const { dispatch } = editor.view;
  dispatch(editor.state.tr.setMeta(key, { add: { id, at } } satisfies Meta));
  const result = await ports.upload(file);
  if (editor.isDestroyed) {
    if (!("refused" in result)) ports.placeless(file);
    return null;
  }
  const [held] = key.getState(editor.state)?.find(undefined, undefined, heldBy(id)) ?? [];
  const done = editor.state.tr.setMeta(key, { remove: id } satisfies Meta);
  if ("refused" in result) {
    editor.view.dispatch(done);
    ports.refused(result.refused);
    return held?.from ?? null;
  }
  // Somebody else may have deleted the place: only who put the image in can say that it is not wanted.
  const image = editor.schema.nodes["image"];
  const made = held && image ? image.create({ src: result.address, alt: describe(file.name) }) : null;
  if (held && made) done.replaceWith(held.from, held.from, made);
  editor.view.dispatch(done);
  if (!held) ports.placeless(file);
  return held && made ? held.from + made.nodeSize : null;
}

/** A first alternative text: the file's name, unless it is one that browsers make up for pasted pictures. */
function describe(fileName: string): string {
  const stem = fileName.replace(/\.[^.]*$/, "").replace(/[-_]+/g, " ").trim();
  return /^image\s?\d*$/i.test(stem) ? "" : stem;
}

function placeholder(words: string): HTMLElement {
  const place = document.createElement("span");
  place.className = "image-place";
  place.setAttribute("role", "status");
  place.textContent = words;
  return place;
}
