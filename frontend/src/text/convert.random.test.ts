// @vitest-environment happy-dom
// Random texts of everything that can stand in one: as a page and read again they are the same.
import type { JSONContent } from "@tiptap/core";
import { expect, test } from "vitest";
import { fromHtml, htmlFrom } from "./convert";

type Random = (below: number) => number;

/** mulberry32. */
function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** Words, some with letters that mean something elsewhere. */
const WORDS = ["warp", "weft", "loom 2", "文字", "naïve", "a*b", "snake_case_word", "100%", "😀", "\"quoted\"", "a:b", "back\\slash", "<b>", "& &amp; &lt;"];

const one = <T>(random: Random, of: readonly T[]): T => of[random(of.length)]!;

function words(random: Random): string {
  return Array.from({ length: 1 + random(3) }, () => one(random, WORDS)).join(" ");
}

function text(random: Random, marks: boolean): JSONContent {
  const content: JSONContent = { type: "text", text: words(random) };
  if (!marks) return content;
  const kinds = ["bold", "italic", "strike"].filter(() => random(5) === 0);
  if (random(8) === 0) return { ...content, text: one(random, ["x = 1", "a*b", "let `x`", "<T>", "\\n"]), marks: [{ type: "code" }] };
  const link = random(8) === 0 ? [{ type: "link", attrs: { href: one(random, ["https://example.org/", "https://example.org/a_b?c=(d)&e#f", "mailto:ann@example.org"]) } }] : [];
  const all = [...link, ...kinds.map((type) => ({ type }))];
  return all.length > 0 ? { ...content, marks: all } : content;
}

function inline(random: Random): JSONContent[] {
  const parts: JSONContent[] = [];
  for (let count = 1 + random(4); count > 0; count--) {
    const part = text(random, true);
    // Side by side, marks are told apart by the words between them.
    if (parts.length > 0) parts.push(random(6) === 0 ? { type: "hardBreak" } : { type: "text", text: " and " });
    parts.push(part);
  }
  if (random(8) === 0) parts.push({ type: "text", text: " see " }, { type: "image", attrs: { src: "/api/v1/documents/x/attachments/1", alt: words(random) } });
  return parts;
}

const paragraph = (random: Random): JSONContent => ({ type: "paragraph", content: inline(random) });

function list(random: Random, depth: number): JSONContent {
  const type = one(random, ["bulletList", "orderedList", "taskList"]);
  const item = (): JSONContent => ({
    type: type === "taskList" ? "taskItem" : "listItem",
    ...(type === "taskList" ? { attrs: { checked: random(2) === 0 } } : {}),
    content: [paragraph(random), ...(depth < 2 && random(3) === 0 ? [list(random, depth + 1)] : [])],
  });
  return { type, ...(type === "orderedList" && random(3) === 0 ? { attrs: { start: 1 + random(20) } } : {}), content: Array.from({ length: 1 + random(3) }, item) };
}

function table(random: Random): JSONContent {
  const columns = 1 + random(3);
  const row = (type: string): JSONContent => ({ type: "tableRow", content: Array.from({ length: columns }, () => ({ type, content: [{ type: "paragraph", content: [text(random, true)] }] })) });
  return { type: "table", content: [row("tableHeader"), ...Array.from({ length: 1 + random(3) }, () => row("tableCell"))] };
}

function block(random: Random, depth = 0): JSONContent {
  switch (random(depth === 0 ? 9 : 4)) {
    case 0:
      return { type: "heading", attrs: { level: 1 + random(6) }, content: [text(random, true)] };
    case 1:
      return list(random, depth);
    case 2:
      return { type: "codeBlock", attrs: { language: one(random, [null, "rust", "js"]) }, content: [{ type: "text", text: one(random, ["fn main() {\n    x();\n}", "* not a list\n\n# nor this", "<p>"]) }] };
    case 4:
      return { type: "blockquote", content: Array.from({ length: 1 + random(2) }, () => block(random, 1)) };
    case 5:
      return { type: "horizontalRule" };
    case 6:
      return table(random);
    default:
      return paragraph(random);
  }
}

/** Two lists of one kind in a row would be one list. */
function document(random: Random): JSONContent {
  const content: JSONContent[] = [];
  for (let count = 1 + random(5); count > 0; count--) content.push(block(random), { type: "paragraph", content: [{ type: "text", text: "between" }] });
  return { type: "doc", content };
}

/** Out as a page and back in, without the title that leads it. */
const asPage = (content: JSONContent): JSONContent => {
  const page = fromHtml(htmlFrom(content, "Title", "en"));
  return { ...page, content: (page.content ?? []).slice(1) };
};

test("random: out as HTML and back in, the same text", { timeout: 60_000 }, () => {
  for (let round = 0; round < 100; round++) {
    const seed = Number(process.env["SEED"] ?? (Date.now() % 1_000_000) + round);
    // As the schema has it: with every attribute.
    const content = asPage(document(seeded(seed)));
    expect(asPage(content), `seed ${seed}`).toEqual(content);
  }
});
