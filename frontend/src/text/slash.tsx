// What "/" offers: every block, by its name in either language.
import type { ChainedCommands } from "@tiptap/core";
import type { TFunction } from "i18next";
import { Heading1, Heading2, Heading3, Image, List, ListChecks, ListOrdered, Minus, SquareCode, Table, TextQuote, Type } from "lucide-react";
import type { ReactNode } from "react";
import { asCode } from "./insertions";
import type { Offer } from "./suggest-store";

type Words = TFunction<"words">;

/** English words are always understood too: many people's fingers know them. */
const BLOCKS: readonly {
  readonly id: string;
  readonly label: (t: Words) => string;
  readonly also: string;
  readonly icon: ReactNode;
  readonly hint?: string;
  readonly run: (chain: ChainedCommands) => ChainedCommands;
}[] = [
  { id: "text", label: (t) => t("tools.text"), also: "text paragraph", icon: <Type />, run: (chain) => chain.setParagraph() },
  { id: "h1", label: (t) => t("tools.heading1"), also: "heading 1 h1 title", icon: <Heading1 />, hint: "#", run: (chain) => chain.setHeading({ level: 1 }) },
  { id: "h2", label: (t) => t("tools.heading2"), also: "heading 2 h2", icon: <Heading2 />, hint: "##", run: (chain) => chain.setHeading({ level: 2 }) },
  { id: "h3", label: (t) => t("tools.heading3"), also: "heading 3 h3", icon: <Heading3 />, hint: "###", run: (chain) => chain.setHeading({ level: 3 }) },
  { id: "bullets", label: (t) => t("tools.bullets"), also: "bulleted list ul", icon: <List />, hint: "-", run: (chain) => chain.toggleBulletList() },
  { id: "numbers", label: (t) => t("tools.numbers"), also: "numbered list ol", icon: <ListOrdered />, hint: "1.", run: (chain) => chain.toggleOrderedList() },
  { id: "tasks", label: (t) => t("tools.tasks"), also: "task list todo checkbox", icon: <ListChecks />, hint: "[]", run: (chain) => chain.toggleTaskList() },
  { id: "quote", label: (t) => t("tools.quote"), also: "quote blockquote", icon: <TextQuote />, hint: ">", run: (chain) => chain.setBlockquote() },
  { id: "code", label: (t) => t("tools.codeBlock"), also: "code block", icon: <SquareCode />, hint: "```", run: asCode },
  { id: "table", label: (t) => t("tools.table"), also: "table", icon: <Table />, run: (chain) => chain.insertTable({ rows: 3, cols: 3, withHeaderRow: true }) },
  { id: "divider", label: (t) => t("tools.divider"), also: "divider line hr", icon: <Minus />, hint: "---", run: (chain) => chain.setHorizontalRule() },
];

export function slashOffers(query: string, t: Words, pickImage: () => void): readonly Offer[] {
  const wanted = query.toLocaleLowerCase();
  const image: Offer & { readonly also: string } = {
    id: "image",
    label: t("tools.image"),
    also: "image picture photo",
    icon: <Image />,
    run: (editor, range) => {
      editor.chain().focus().deleteRange(range).run();
      pickImage();
    },
  };
  const offers = BLOCKS.map(({ id, label, also, icon, hint, run }) => ({
    id,
    label: label(t),
    also,
    icon,
    ...(hint === undefined ? {} : { hint }),
    run: ((editor, range) => {
      run(editor.chain().focus().deleteRange(range)).run();
    }) satisfies Offer["run"],
  }));
  return [...offers, image].filter(({ label, also }) => label.toLocaleLowerCase().includes(wanted) || also.split(" ").some((word) => word.startsWith(wanted)) || also.includes(wanted));
}
