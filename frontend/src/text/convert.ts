// Texts from and to files: Markdown, HTML, JSON. Works on Tiptap's JSON, without an editor; what comes from outside is
// cleaned before it is read. Fetched when somebody imports or exports.
import { generateJSON, type JSONContent } from "@tiptap/core";
import { DOMSerializer, Node } from "@tiptap/pm/model";
import DOMPurify from "dompurify";
import { Doc, encodeStateAsUpdate } from "yjs";
import { writeKind, type Kind } from "../documents/kind";
import { CONTENT } from "../documents/roots";
import { blocks, textSchema } from "./blocks";
import { type Keep, keepInHtml, keepInMarkdown, withoutLost } from "./data-pictures";
import { readText, writeText } from "./binding/binding";
import { isForeign } from "./foreign";
import { tidy } from "./foreign-html";
import { markdownReader, toMarkdown } from "./markdown";
import { writeTitle } from "../documents/title";

/** What is written in a document, without an editor that shows it. */
export function contentOf(doc: Doc): JSONContent {
  return readText(doc, textSchema()).toJSON() as JSONContent;
}

export function markdownFrom(content: JSONContent): string {
  return toMarkdown(Node.fromJSON(textSchema(), content));
}

export function fromMarkdown(markdown: string): JSONContent {
  const read = markdownReader(textSchema(), (html) => Node.fromJSON(textSchema(), fromHtml(html)).content.content);
  const { front, body } = parted(markdown.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"));
  return valid(withFront(read(body).toJSON() as JSONContent, front));
}

/** What some programs write about a text before it, in YAML between two lines of dashes; else it is all body. */
function parted(markdown: string): { readonly front: string; readonly body: string } {
  const [all = "", front = ""] = /^---[ \t]*\n((?:[\w"'-]+[ \t]*:|#).*\n(?:.*\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|$)/.exec(markdown) ?? [];
  return { front: front.trimEnd(), body: markdown.slice(all.length) };
}

/** What we have no place for is kept as what it is. */
function withFront(content: JSONContent, front: string): JSONContent {
  if (front === "") return content;
  return { ...content, content: [{ type: "codeBlock", attrs: { language: "yaml" }, content: [{ type: "text", text: front }] }, ...(content.content ?? [])] };
}

/** The title that stands there on a line of its own, and the rest. */
function titleIn(front: string): { readonly title: string; readonly rest: string } {
  const [line = "", written = ""] = /^title[ \t]*:[ \t]+([^\s|>&*!].*)$/m.exec(front) ?? [];
  const [, double, single] = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)')[ \t]*(?:#.*)?$/.exec(written) ?? [];
  const title = double?.replace(/\\(.)/g, "$1") ?? single?.replace(/''/g, "'") ?? written.replace(/[ \t]+#.*$/, "");
  return { title: title.trim(), rest: line === "" ? front : front.replace(line, "").replace(/^\n+|\n(?=\n)|\n+$/g, "") };
}

/** A whole page, to be opened anywhere: headings at their own level, images by full address. */
export function htmlFrom(content: JSONContent, title: string, language: string): string {
  const page = document.implementation.createHTMLDocument(title);
  page.title = title;
  page.documentElement.lang = language;
  const charset = page.createElement("meta");
  charset.setAttribute("charset", "utf-8");
  page.head.prepend(charset);
  const style = page.createElement("style");
  style.textContent = PAGE_STYLE;
  page.head.append(style);
  const heading = page.createElement("h1");
  heading.textContent = title;
  const fragment = DOMSerializer.fromSchema(textSchema()).serializeFragment(Node.fromJSON(textSchema(), content).content, { document: page });
  page.body.append(heading, fragment);
  for (const image of page.querySelectorAll("img[src]")) image.setAttribute("src", new URL(image.getAttribute("src") ?? "", location.href).href);
  return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
}

/** As little as makes a page of it that reads like the text did. */
const PAGE_STYLE = `
body { max-width: 45rem; margin: 2rem auto; padding: 0 1rem; font: 1.0625rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
img { max-width: 100%; height: auto; }
pre { padding: 1em; overflow-x: auto; background: #f3f2ef; border-radius: 8px; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
blockquote { margin-inline: 0; padding-inline-start: 1em; border-inline-start: 3px solid #999; }
.tableWrapper { overflow-x: auto; }
table { border-collapse: collapse; }
td, th { padding: 0.4em 0.75em; border: 1px solid #999; text-align: start; vertical-align: top; }
[data-color="grey"] { color: #5f5f5f; }
[data-color="red"] { color: #b3261e; }
[data-color="orange"] { color: #944800; }
[data-color="yellow"] { color: #735700; }
[data-color="green"] { color: #1d6b3a; }
[data-color="blue"] { color: #1b5bb8; }
[data-color="purple"] { color: #7a3fb0; }
[data-color="pink"] { color: #a82170; }
mark { background: #fff1a0; color: inherit; }
mark[data-color="grey"] { background: #e3e1dc; color: inherit; }
mark[data-color="red"] { background: #ffd5d1; color: inherit; }
mark[data-color="orange"] { background: #ffe0bf; color: inherit; }
mark[data-color="yellow"] { background: #fff1a0; color: inherit; }
mark[data-color="green"] { background: #cdf0d6; color: inherit; }
mark[data-color="blue"] { background: #d3e5ff; color: inherit; }
mark[data-color="purple"] { background: #e9dcff; color: inherit; }
mark[data-color="pink"] { background: #ffd9ec; color: inherit; }
td > p, th > p, li > p, li > div > p { margin: 0; }
ul[data-type="taskList"] { padding-inline-start: 0; list-style: none; }
ul[data-type="taskList"] > li { display: flex; gap: 0.5em; }
ul[data-type="taskList"] > li > div { flex: 1; }
`;

export function fromHtml(html: string): JSONContent {
  const clean = DOMPurify.sanitize(isForeign(html) ? tidied(html) : html, { FORBID_TAGS: ["style", "form"], ALLOW_DATA_ATTR: true });
  return valid(generateJSON(clean, blocks()) as JSONContent);
}

/** In a document of its own, in which nothing is loaded and nothing runs. */
function tidied(html: string): string {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  tidy(body);
  return body.innerHTML;
}

/** A file, told by its name; what is not one of the two is taken as it stands. */
export type Format = "markdown" | "html" | "plain";

export function formatOf(fileName: string): Format {
  if (/\.(md|markdown|mdown|mkd)$/i.test(fileName)) return "markdown";
  if (/\.(html?|xhtml)$/i.test(fileName)) return "html";
  return "plain";
}

export interface Imported {
  readonly title: string;
  readonly kind: Kind;
  /** The whole document as one Yjs update. */
  readonly update: Uint8Array<ArrayBuffer>;
}

/** The file with its pictures inside of addresses stored by `keep`; how many could not be is answered with it. */
export async function importText(fileName: string, text: string, keep: Keep): Promise<{ readonly imported: Imported; readonly lost: number }> {
  switch (formatOf(fileName)) {
    case "plain":
      return { imported: importFile(fileName, text), lost: 0 };
    case "markdown": {
      const { markdown, lost } = await keepInMarkdown(text, keep);
      return { imported: importFile(fileName, markdown), lost };
    }
    case "html": {
      const { documentElement } = new DOMParser().parseFromString(text, "text/html");
      const lost = await keepInHtml(documentElement, keep);
      return { imported: importFile(fileName, documentElement.outerHTML), lost };
    }
  }
}

/** The title is what the file says it is, or a first heading of the first level, which leaves the text; else the file's name. */
export function importFile(fileName: string, text: string): Imported {
  const format = formatOf(fileName);
  const doc = new Doc();
  const stem = fileName.replace(/\.[^.]*$/, "").trim();
  if (format === "plain") {
    const title = /\.(txt|text)$/i.test(fileName) ? stem : fileName;
    writeTitle(doc, title);
    writeKind(doc, "plain");
    doc.getText(CONTENT).insert(0, text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"));
    return { title, kind: "plain", update: encoded(doc) };
  }
  const { front, body: rest } = format === "markdown" ? parted(text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n")) : { front: "", body: text };
  const said = titleIn(front);
  const content = withImages(withoutLost(format === "markdown" ? fromMarkdown(rest) : fromHtml(text)), atHome);
  const [first, ...others] = content.content ?? [];
  const heading = first?.type === "heading" && first.attrs?.["level"] === 1 ? wordsOf(first) : "";
  const title = said.title || heading || stem;
  writeTitle(doc, title);
  // The heading that is the title is not said twice.
  const named: JSONContent = heading === "" || heading !== title ? content : { ...content, content: others.length > 0 ? others : [{ type: "paragraph" }] };
  const body = withFront(named, said.rest);
  writeText(doc, Node.fromJSON(textSchema(), body));
  return { title, kind: "text", update: encoded(doc) };
}

/** The same text, with each image's address as `by` has it. */
export function withImages(content: JSONContent, by: (src: string) => string): JSONContent {
  const src: unknown = content.type === "image" ? content.attrs?.["src"] : undefined;
  return {
    ...content,
    ...(typeof src === "string" ? { attrs: { ...content.attrs, src: by(src) } } : {}),
    ...(content.content ? { content: content.content.map((child) => withImages(child, by)) } : {}),
  };
}

/** What this server exported with its full address is its own again. */
const atHome = (src: string): string => (src.startsWith(`${location.origin}/`) ? src.slice(location.origin.length) : src);

/** Read by the schema and written again: what the schema does not know is dropped here rather than stored. */
function valid(content: JSONContent): JSONContent {
  const schema = textSchema();
  const node = Node.fromJSON(schema, content.content?.length ? onceMarked(content) : { type: "doc", content: [{ type: "paragraph" }] });
  node.check();
  return node.toJSON() as JSONContent;
}

/** An address written as the words of a link would be a link in a link; the outer one is meant. */
function onceMarked(content: JSONContent): JSONContent {
  const { marks } = content;
  return {
    ...content,
    ...(marks ? { marks: marks.filter(({ type }, at) => marks.findIndex((mark) => mark.type === type) === at) } : {}),
    ...(content.content ? { content: content.content.map(onceMarked) } : {}),
  };
}

function wordsOf(content: JSONContent): string {
  return content.text ?? (content.content ?? []).map(wordsOf).join("");
}

function encoded(doc: Doc): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodeStateAsUpdate(doc));
}
