// Words that a colleague deleted without having seen them. The editor's commands replace a block by a copy, and the copy
// has only what its maker knew: what somebody else wrote in the original meanwhile, for an hour without a network or for a
// moment on its way, dies with it. Nobody meant that, and the author's own page can know it: words that the server had not
// acknowledged cannot have been seen by whoever deleted them. They are offered to the author, who puts them where they
// belong.
//
// Letters deleted one by one are another matter: to delete a letter one must have seen it.
import { ContentString, Item, XmlElement, XmlText, isDeleted, iterateDeletedStructs, type Doc, type Transaction } from "yjs";
import { TABS } from "../sync/tabs";
import { FIELD } from "./field";
import { plainText } from "./plain-text";

export interface LostWordsPorts {
  readonly doc: Doc;
  /** Whether this device wrote it and the server has not called it durable. */
  readonly isUnacknowledged: (client: number, clock: number) => boolean;
  readonly offer: (lost: LostWords) => void;
}

export interface LostWords {
  /** A line for each block that they stood in. */
  readonly text: string;
  /** As paragraphs of their own, where they stood. Once, however often it is asked for. */
  readonly putBack: () => void;
}

/** Returns the end of it. */
export function offerLostWords(ports: LostWordsPorts): () => void {
  const { doc } = ports;
  const onTransaction = (transaction: Transaction): void => {
    // Another tab of this browser is the same person, who saw what was deleted there.
    if (transaction.local || transaction.origin === TABS) return;
    const blocks = new Set<XmlText>();
    iterateDeletedStructs(transaction, transaction.deleteSet, (struct) => {
      if (struct instanceof Item && struct.parent instanceof XmlText && struct.parent._item?.deleted === true) blocks.add(struct.parent);
    });
    const lines = [...blocks].map((block) => unseen(block, transaction, ports.isUnacknowledged)).filter((line) => line.trim() !== "");
    const [first] = blocks;
    if (lines.length === 0 || first === undefined) return;
    const there = plainText(doc);
    // Seen after all: the word that it is durable was overtaken by the copy that has them.
    const lost = lines.filter((line) => !there.includes(line.trim()));
    if (lost.length === 0) return;
    const place = placeOf(first);
    let done = false;
    ports.offer({
      text: lost.join("\n"),
      putBack: () => {
        if (done) return;
        done = true;
        doc.transact(() => doc.getXmlFragment(FIELD).insert(place(), lost.map(paragraph)));
      },
    });
  };
  doc.on("afterTransaction", onTransaction);
  return () => doc.off("afterTransaction", onTransaction);
}

/** Of a block that is gone, the words nobody else had seen. */
function unseen(block: XmlText, { deleteSet }: Transaction, isUnacknowledged: LostWordsPorts["isUnacknowledged"]): string {
  let words = "";
  for (let item = block._start; item !== null; item = item.right) {
    // What their author had deleted before is not deleted again.
    const died = item.content instanceof ContentString && isDeleted(deleteSet, item.id);
    if (died && isUnacknowledged(item.id.client, item.id.clock)) words += (item.content as ContentString).str;
  }
  return words;
}

/** Where a block of the text's first level stood: behind what still stands before it. */
function placeOf(block: XmlText): () => number {
  let top: Item | null = block._item;
  while (top !== null && top.parent instanceof XmlElement) top = top.parent._item;
  return () => {
    let place = 0;
    for (let before = top?.left ?? null; before !== null; before = before.left) if (!before.deleted) place += before.length;
    return place;
  };
}

function paragraph(words: string): XmlElement {
  const element = new XmlElement("paragraph");
  element.insert(0, [new XmlText(words)]);
  return element;
}
