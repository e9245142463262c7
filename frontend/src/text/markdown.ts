// Texts as Markdown (CommonMark with GitHub's tables, tasks and strikes), both ways, so that what is written is read back
// as the same text. The walk through the blocks is prosemirror-markdown's, the reading markdown-it's; here is what our
// blocks are called, what has to be escaped, and the little HTML that Markdown is mixed with.
import type { Mark, Node, Schema } from "@tiptap/pm/model";
import MarkdownIt, { type Token } from "markdown-it";
import { MarkdownParser, MarkdownSerializer, type MarkdownSerializerState } from "prosemirror-markdown";
import { isColour } from "./colours";

type State = MarkdownSerializerState;

// ---- writing ----------------------------------------------------------------------------------------------------

export function toMarkdown(content: Node): string {
  return `${serializer.serialize(content, { tightLists: true }).trimEnd()}\n`;
}

const serializer = new MarkdownSerializer(
  {
    paragraph(state, node) {
      state.renderInline(node);
      state.closeBlock(node);
    },
    heading(state, node) {
      state.write(`${"#".repeat(Math.min(Math.max(Number(node.attrs["level"]), 1), 6))} `);
      state.renderInline(node, false);
      state.closeBlock(node);
    },
    blockquote(state, node) {
      state.wrapBlock("> ", null, node, () => state.renderContent(node));
    },
    codeBlock(state, node) {
      const longest = Math.max(2, ...(node.textContent.match(/`+/g) ?? []).map((ticks) => ticks.length));
      const fence = "`".repeat(longest + 1);
      const language: unknown = node.attrs["language"];
      state.write(`${fence}${typeof language === "string" ? language : ""}\n`);
      state.text(node.textContent, false);
      state.write(node.textContent === "" ? fence : `\n`);
      if (node.textContent !== "") state.write(fence);
      state.closeBlock(node);
    },
    horizontalRule(state, node) {
      state.write("---");
      state.closeBlock(node);
    },
    bulletList(state, node, parent, index) {
      const bullet = `${bulletAt(parent, index)} `;
      state.renderList(node, "  ", () => bullet);
    },
    taskList(state, node, parent, index) {
      const bullet = bulletAt(parent, index);
      state.renderList(node, "  ", (at) => `${bullet} [${node.child(at).attrs["checked"] === true ? "x" : " "}] `);
    },
    orderedList(state, node, parent, index) {
      const first = Number(node.attrs["start"] ?? 1);
      const width = String(first + node.childCount - 1).length;
      const sign = sameBefore(parent, index) % 2 === 0 ? "." : ")";
      // A paragraph is not ended by a list that begins elsewhere than at one: a line between them is needed.
      if (first !== 1) state.write("");
      state.renderList(node, " ".repeat(width + 2), (at) => `${String(first + at)}${sign}`.padEnd(width + 2));
    },
    listItem: (state, node) => state.renderContent(node),
    taskItem: (state, node) => state.renderContent(node),
    table,
    image(state, node) {
      const { src, alt, title } = node.attrs as Readonly<Record<string, unknown>>;
      state.write(`![${escaped(textOf(alt), false)}](${destination(textOf(src), textOf(title))})`);
    },
    mention(state, node) {
      const { label, id } = node.attrs as Readonly<Record<string, unknown>>;
      state.write(escaped(`@${textOf(label) || textOf(id)}`, false));
    },
    hardBreak(state, _node, parent, index) {
      if (index === parent.childCount - 1) return;
      state.write(parent.type.name === "heading" ? " " : "\\\n");
    },
    text(state, node, parent, index) {
      const before = index > 0 ? parent.child(index - 1) : null;
      const atLineStart = parent.type.name === "heading" ? false : before === null || before.type.name === "hardBreak";
      const last = index === parent.childCount - 1;
      // On a further line of a paragraph the mark of a note would end it, and in the words of a link be taken for theirs.
      const linked = node.marks.some(({ type }) => type.name === "link");
      const further = (text: string): string => (linked || before?.type.name === "hardBreak" ? text.replace(linked ? /(?<!\\)\[\^([^\]]+)\]/g : /^\[\^([^\]]+)\]/, "\\[^$1\\]") : text);
      // Before the bracket of a link an exclamation mark would make it an image.
      if (!last) return state.text(further(escaped(node.text ?? "", atLineStart)).replace(/!$/, "\\!"), false);
      // Number signs at the end of a heading would be taken for its end.
      const text = further(escaped(node.text ?? "", atLineStart));
      state.text(parent.type.name === "heading" ? text.replace(/(#+)(\s*)$/, "\\$1$2") : text, false);
    },
  },
  {
    bold: emphasis("**", "strong"),
    italic: emphasis("*", "em"),
    strike: emphasis("~~", "s"),
    underline: { open: "<u>", close: "</u>", mixable: true },
    subscript: { open: "<sub>", close: "</sub>", mixable: true },
    superscript: { open: "<sup>", close: "</sup>", mixable: true },
    highlight: { open: (_state, mark) => `<mark${colourOf(mark)}>`, close: "</mark>", mixable: true },
    color: { open: (_state, mark) => `<span${colourOf(mark)}>`, close: "</span>", mixable: true },
    link: {
      open: "[",
      close: (_state, mark) => `](${destination(textOf(mark.attrs["href"]), textOf(mark.attrs["title"]))})`,
    },
    code: {
      open: (_state, _mark, parent, index) => ticksFor(parent.child(index), -1),
      close: (_state, _mark, parent, index) => ticksFor(parent.child(index - 1), 1),
      escape: false,
    },
  },
  { hardBreakNodeName: "hardBreak", strict: false },
);

const colourOf = ({ attrs }: Mark): string => (isColour(attrs["color"]) ? ` data-color="${attrs["color"]}"` : "");

/** How many lists that would run into this one stand right before it. */
function sameBefore(parent: Node, index: number): number {
  const family = (node: Node): string => (node.type.name === "orderedList" ? "ordered" : /List$/.test(node.type.name) ? "bullet" : "");
  let count = 0;
  while (index > count && family(parent.child(index - count - 1)) === family(parent.child(index))) count++;
  return count;
}

const bulletAt = (parent: Node, index: number): string => (sameBefore(parent, index) % 2 === 0 ? "-" : "*");

/** The first row is the head: a table has one in Markdown. What stands in a cell stands on one line. */
function table(state: State, node: Node): void {
  const rows: string[][] = [];
  node.forEach((row) => {
    const cells: string[] = [];
    row.forEach((cell) => cells.push(lineOf(cell)));
    rows.push(cells);
  });
  const width = Math.max(...rows.map((row) => row.length), 1);
  const line = (cells: readonly string[]): string => `| ${Array.from({ length: width }, (_, at) => cells[at] ?? "").join(" | ")} |`;
  rows.forEach((cells, at) => {
    if (at > 0) state.ensureNewLine();
    state.write(line(cells));
    if (at > 0) return;
    state.ensureNewLine();
    state.write(line(Array.from({ length: width }, (_, column) => RULES[alignOf(node.child(0).maybeChild(column))])));
  });
  state.closeBlock(node);
}

type Align = "left" | "right" | "center" | "none";

/** What stands under the head of a column says to which side it is set. */
const RULES: Readonly<Record<Align, string>> = { left: ":---", right: "---:", center: ":---:", none: "---" };

function alignOf(cell: Node | null): Align {
  const align: unknown = cell?.attrs["align"];
  return align === "left" || align === "right" || align === "center" ? align : "none";
}

function lineOf(cell: Node): string {
  const text = serializer.serialize(cell, { tightLists: true });
  return text
    .trim()
    .replace(/\\\n|\n+/g, "<br>")
    .replace(CODE_OR_BAR, (found) => (found.startsWith("\\") ? found : found.replaceAll("|", "\\|")));
}

/** A bar ends a cell wherever it stands, also in code, unless a backslash is before it; one that is there in code is code. */
const CODE_OR_BAR = /(`+)[^]*?(?<!`)\1(?!`)|\\[^]|\|/g;

/** The sign where both of its ends will be taken for it, the tag where letters or punctuation beside it would hide it. */
function emphasis(sign: string, tag: string): { open: (...args: MarkArgs) => string; close: (...args: MarkArgs) => string; mixable: true; expelEnclosingWhitespace: true } {
  return {
    open: (_state, mark, parent, index) => (isPlain(mark, parent, index) ? sign : `<${tag}>`),
    close: (_state, mark, parent, index) => (isPlain(mark, parent, index - 1) ? sign : `</${tag}>`),
    mixable: true,
    expelEnclosingWhitespace: true,
  };
}

type MarkArgs = [state: State, mark: Mark, parent: Node, index: number];

/**
 * Whether the signs around the run of `mark` at `index` will be taken for what they are. CommonMark asks of a sign before
 * punctuation that a blank or punctuation stands before it, and the same behind, which hides `**「文」**字`.
 */
function isPlain(mark: Mark, parent: Node, index: number): boolean {
  let [from, to] = [index, index];
  while (from > 0 && mark.isInSet(parent.child(from - 1).marks)) from--;
  while (to + 1 < parent.childCount && mark.isInSet(parent.child(to + 1).marks)) to++;
  const before = from > 0 ? parent.child(from - 1) : null;
  const after = to + 1 < parent.childCount ? parent.child(to + 1) : null;
  const [first, last] = [edge(parent.child(from), 1, mark), edge(parent.child(to), -1, mark)];
  const open = BLANK.test(first) || !SIGN.test(first) || before === null || OUTSIDE.test(edge(before, -1));
  const close = BLANK.test(last) || !SIGN.test(last) || after === null || OUTSIDE.test(edge(after, 1));
  return open && close && ![before, after].some((node) => node !== null && isEmphasised(node));
}

const BLANK = /\s/u;
const SIGN = /[\p{P}\p{S}]/u;
const OUTSIDE = /[\s\p{P}\p{S}]/u;

/** Signs right beside each other could be taken for one. */
const isEmphasised = (node: Node): boolean => node.marks.some(({ type }) => /^(bold|italic|strike)$/.test(type.name));

/**
 * The first letter of a piece, or its last, as it will stand there. Within the run of `mark`, the sign of another mark may
 * come first; beside it, one that both have does not come at all.
 */
function edge(node: Node, side: -1 | 1, mark?: Mark): string {
  if (node.marks.some(({ type }) => type.name === "code") || (mark !== undefined && node.marks.length > 1)) return "`";
  if (node.isText) return (side > 0 ? /^./u : /.$/u).exec(textOf(node.text))?.[0] ?? " ";
  if (node.type.name === "hardBreak") return " ";
  return node.type.name === "mention" && side < 0 ? "a" : "!";
}

/** Backslashes before whatever would mean something, and only there. */
function escaped(text: string, atLineStart: boolean): string {
  const plain = text
    .replace(/[\r\n]/g, " ")
    // The mark of a note is one, unless it could be taken for the words of a link.
    .replace(/\[\^[^\s[\]\\`*~<|]+\](?![([])|[\\`*~[\]<|]/g, (sign) => (sign.length > 1 ? sign : `\\${sign}`))
    .replace(/_/g, (sign, at: number) => (/[\p{L}\p{N}]/u.test(text[at - 1] ?? "") && /[\p{L}\p{N}]/u.test(text[at + 1] ?? "") ? sign : `\\${sign}`))
    .replace(/&(?=#?\w+;)/g, "\\&")
    // What looks like an address is one only where it was made a link.
    .replace(/(https?|ftp):\/\//gi, "$1\\://")
    .replace(/www\./gi, (found) => `${found.slice(0, -1)}\\.`)
    .replace(/([\w.+-])@(?=\w)/g, "$1\\@");
  if (!atLineStart) return plain;
  return plain
    .replace(/^[ \t]+/, "")
    .replace(/^(?:[-+=>]|#{1,6}(?=\s|$))/, "\\$&")
    .replace(/^(\d{1,9})([.)])(?=\s|$)/, "$1\\$2");
}

/** Where a link leads, with its title: what could end it too soon is put where it cannot. */
function destination(address: string, title: string): string {
  const plain = /^[^\s()<>\\]+$/.test(address);
  const target = plain ? address : `<${address.replace(/[<>\\]/g, "\\$&").replace(/\s/g, "%20")}>`;
  return title === "" ? target : `${target} "${title.replace(/["\\]/g, "\\$&")}"`;
}

function ticksFor(node: Node, side: -1 | 1): string {
  const longest = Math.max(0, ...(textOf(node.text).match(/`+/g) ?? []).map((ticks) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  if (longest === 0) return ticks;
  return side < 0 ? `${ticks} ` : ` ${ticks}`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

// ---- reading ----------------------------------------------------------------------------------------------------

/** What is read of a text in HTML in the middle of one in Markdown: its blocks. */
export type ReadHtml = (html: string) => readonly Node[];

export function markdownReader(schema: Schema, readHtml: ReadHtml): (markdown: string) => Node {
  const parser = new MarkdownParser(schema, tokenizer(), {
    paragraph: { block: "paragraph" },
    heading: { block: "heading", getAttrs: (token) => ({ level: Number(token.tag.slice(1)) }) },
    blockquote: { block: "blockquote" },
    bullet_list: { block: "bulletList" },
    ordered_list: { block: "orderedList", getAttrs: (token) => ({ start: Number(token.attrGet("start") ?? 1) }) },
    list_item: { block: "listItem" },
    task_list: { block: "taskList" },
    task_item: { block: "taskItem", getAttrs: (token) => ({ checked: token.attrGet("checked") !== null }) },
    code_block: { block: "codeBlock", noCloseToken: true },
    fence: { block: "codeBlock", getAttrs: (token) => ({ language: /^\S+/.exec(token.info.trim())?.[0] ?? null }), noCloseToken: true },
    hr: { node: "horizontalRule" },
    table: { block: "table" },
    thead: { ignore: true },
    tbody: { ignore: true },
    tr: { block: "tableRow" },
    th: { block: "tableHeader", getAttrs: aligned },
    td: { block: "tableCell", getAttrs: aligned },
    image: { node: "image", getAttrs: (token) => ({ src: token.attrGet("src"), alt: plainText(token.children ?? []), title: token.attrGet("title") }) },
    hardbreak: { node: "hardBreak" },
    strong: { mark: "bold" },
    em: { mark: "italic" },
    s: { mark: "strike" },
    u: { mark: "underline" },
    sub: { mark: "subscript" },
    sup: { mark: "superscript" },
    mark: { mark: "highlight", getAttrs: (token) => ({ color: token.attrGet("color") }) },
    coloured: { mark: "color", getAttrs: (token) => ({ color: token.attrGet("color") }) },
    link: { mark: "link", getAttrs: (token) => ({ href: token.attrGet("href"), title: token.attrGet("title") }) },
    code_inline: { mark: "code", noCloseToken: true },
    html_inline: { ignore: true, noCloseToken: true },
  });
  // Not among what a parser can be told in words.
  const { tokenHandlers } = parser as unknown as { readonly tokenHandlers: Record<string, (state: { push: (node: Node) => void }, token: Token) => void> };
  tokenHandlers["html_block"] = (state, token) => {
    for (const node of readHtml(token.content)) state.push(node);
  };
  return (markdown) => parser.parse(markdown);
}

const aligned = (token: Token): { readonly align: string | null } => ({ align: /text-align:\s*(left|right|center)/.exec(token.attrGet("style") ?? "")?.[1] ?? null });

function tokenizer(): MarkdownIt {
  const reader = new MarkdownIt("default", { html: true, linkify: true });
  reader.linkify.set({ fuzzyLink: false });
  // Addresses are kept as they were written; whether one may be followed is looked at where it is drawn.
  reader.normalizeLink = (address) => address;
  reader.normalizeLinkText = (address) => address;
  reader.validateLink = (address) => !/^\s*(javascript|vbscript|file|data):/i.test(address);
  reader.block.ruler.before("reference", "footnote", footnote, { alt: ["paragraph"] });
  // While what was escaped is still told apart from what was not.
  reader.core.ruler.before("text_join", "tasks", ({ tokens }) => void tokens.splice(0, tokens.length, ...withTasks(tokens)));
  reader.core.ruler.before("text_join", "cells", ({ tokens }) => void tokens.splice(0, tokens.length, ...tokens.flatMap(inCells)));
  reader.core.ruler.before("text_join", "html", ({ tokens }) => {
    for (const token of tokens) {
      const place = inPlaceOfHtml((address) => reader.validateLink(address));
      token.children = token.children?.flatMap((child) => (child.type === "html_inline" ? place(child) : [child])) ?? null;
    }
  });
  return reader;
}

/**
 * What begins with `[^1]:` is a note, which stays words: we know none. Left to the reader it is the address of a link named
 * `^1` and disappears, and each mark of it becomes that link.
 */
const footnote: RuleBlock = (state, start, end, silent) => {
  const isNote = (line: number): boolean => /^\[\^[^\s[\]]+\]:/.test(state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]));
  if (!isNote(start)) return false;
  if (silent) return true;
  const others = state.md.block.ruler.getRules("paragraph");
  let next = start + 1;
  while (next < end && !state.isEmpty(next) && (state.sCount[next] ?? 0) >= state.blkIndent && !others.some((rule) => rule(state, next, end, true))) next++;
  const map: [number, number] = [start, next];
  state.push("paragraph_open", "p", 1).map = map;
  Object.assign(state.push("inline", "", 0), { content: state.getLines(start, next, state.blkIndent, false).trim(), map, children: [] });
  state.push("paragraph_close", "p", -1);
  state.line = next;
  return true;
};

type RuleBlock = Parameters<MarkdownIt["block"]["ruler"]["push"]>[1];

const like = (token: Token, type: string, nesting: -1 | 0 | 1, attrs: Record<string, string> = {}): Token =>
  Object.assign(Object.create(Object.getPrototypeOf(token) as object) as Token, token, { type, nesting, attrs: Object.entries(attrs), children: null });

/** A cell holds paragraphs, as everything does. */
function inCells(token: Token, at: number, all: readonly Token[]): Token[] {
  if (token.type !== "inline" || !/^t[hd]_open$/.test(all[at - 1]?.type ?? "")) return [token];
  return [like(token, "paragraph_open", 1), token, like(token, "paragraph_close", -1)];
}

/** Items that begin with a box are tasks; where they change to others and back, so does the list. */
function withTasks(tokens: readonly Token[]): Token[] {
  const made: Token[] = [];
  const lists: { tasks: boolean | null; readonly open: Token; readonly opened: number }[] = [];
  const items: boolean[] = [];
  tokens.forEach((token, at) => {
    const list = lists.at(-1);
    switch (token.type) {
      case "bullet_list_open":
        lists.push({ tasks: null, open: token, opened: made.length });
        made.push(token);
        return;
      case "bullet_list_close":
        lists.pop();
        made.push(list?.tasks === true ? like(token, "task_list_close", -1) : token);
        return;
      case "ordered_list_open":
        lists.push({ tasks: false, open: token, opened: -1 });
        made.push(token);
        return;
      case "ordered_list_close":
        lists.pop();
        made.push(token);
        return;
      case "list_item_open": {
        const first = tokens[at + 2]?.type === "inline" ? tokens[at + 2]?.children?.[0] : undefined;
        const box = list?.opened === -1 || first?.type !== "text" ? null : /^\[([ xX])\](?:\s+|$)/.exec(first.content);
        if (list !== undefined && list.opened !== -1) {
          const tasks = box !== null;
          if (list.tasks === null && tasks) made[list.opened] = like(list.open, "task_list_open", 1);
          else if (list.tasks !== null && list.tasks !== tasks) {
            made.push(like(list.open, list.tasks ? "task_list_close" : "bullet_list_close", -1), like(list.open, tasks ? "task_list_open" : "bullet_list_open", 1));
          }
          list.tasks = tasks;
        }
        items.push(box !== null);
        if (box === null || first === undefined) return void made.push(token);
        first.content = first.content.slice(box[0].length);
        return void made.push(like(token, "task_item_open", 1, box[1] === " " ? {} : { checked: "" }));
      }
      case "list_item_close":
        made.push(items.pop() === true ? like(token, "task_item_close", -1) : token);
        return;
      default:
        made.push(token);
    }
  });
  return made;
}

const MARKS: Readonly<Record<string, string>> = { strong: "strong", b: "strong", em: "em", i: "em", s: "s", del: "s", strike: "s", u: "u", ins: "u", sub: "sub", sup: "sup" };
/** Elements that say nothing we could keep, around words that we do. */
const PASSED = new Set(["span", "font", "small", "big", "kbd", "abbr", "cite", "q", "label", "time", "center", "div", "p", "section"]);

/** The tags of one line that mean what a sign does; what is no element at all was meant as words. */
function inPlaceOfHtml(validLink: (address: string) => boolean): (token: Token) => Token[] {
  // Whether each `a` that is open leads anywhere: the end of one that does not must not end a link around it.
  const leading: boolean[] = [];
  /** The same of each `span`, whether it has a colour. */
  const coloured: boolean[] = [];
  return (token) => {
    if (token.content.startsWith("<!--")) return [];
    const [, close, name = ""] = /^<(\/?)([a-z][a-z0-9-]*)/i.exec(token.content) ?? [];
    const tag = name.toLowerCase();
    const mark = MARKS[tag];
    if (mark !== undefined) return [like(token, close === "/" ? `${mark}_close` : `${mark}_open`, close === "/" ? -1 : 1)];
    if (tag === "mark" || tag === "span") {
      if (close === "/") return tag === "mark" ? [like(token, "mark_close", -1)] : coloured.pop() === true ? [like(token, "coloured_close", -1)] : [];
      const { "data-color": color } = attributesOf(token.content, "data-color");
      if (tag === "mark") return [like(token, "mark_open", 1, isColour(color) ? { color } : {})];
      coloured.push(isColour(color));
      return isColour(color) ? [like(token, "coloured_open", 1, { color })] : [];
    }
    if (tag === "br") return [like(token, "hardbreak", 0)];
    if (tag === "img") {
      const { src, alt } = attributesOf(token.content, "src", "alt");
      if (src === undefined || /^\s*data:/i.test(src)) return [];
      return [Object.assign(like(token, "image", 0, { src }), { children: [Object.assign(like(token, "text", 0), { content: alt ?? "" })] })];
    }
    if (tag === "a") {
      if (close === "/") return leading.pop() === true ? [like(token, "link_close", -1)] : [];
      const { href, ...title } = attributesOf(token.content, "href", "title");
      const leads = href !== undefined && validLink(href);
      leading.push(leads);
      return leads ? [like(token, "link_open", 1, { href, ...title })] : [];
    }
    return PASSED.has(tag) ? [] : [like(token, "text", 0)];
  };
}

/** Of the element that begins with this tag, those of the attributes that it has. */
function attributesOf<Name extends string>(tag: string, ...names: readonly Name[]): Partial<Record<Name, string>> {
  const element = new DOMParser().parseFromString(tag, "text/html").body.firstElementChild;
  return Object.fromEntries(names.flatMap((name) => (element?.hasAttribute(name) === true ? [[name, element.getAttribute(name)]] : []))) as Partial<Record<Name, string>>;
}

function plainText(tokens: readonly Token[]): string {
  return tokens.map(({ type, content, children }) => (/^(text|text_special|code_inline|html_inline)$/.test(type) ? content : type === "softbreak" ? " " : plainText(children ?? []))).join("");
}
