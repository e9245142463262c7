// @vitest-environment happy-dom
// Random texts of everything that can stand in one, in words full of signs: out as Markdown or as a page and read again,
// they are the same.
import { Node } from "@tiptap/pm/model";
import type { JSONContent } from "@tiptap/core";
import { expect, test } from "vitest";
import { seeded } from "../testing/random";
import { textSchema } from "./blocks";
import { fromHtml, fromMarkdown, htmlFrom, markdownFrom } from "./convert";

type Made = { type: string; text?: string; attrs?: Record<string, unknown>; marks?: { type: string; attrs?: Record<string, unknown> }[]; content?: Made[] };

/** A text of what Markdown can say, at random: blocks in blocks, marks in marks, and words full of signs. */
function made(below: (n: number) => number): Made {
  const one = <T>(...of: readonly T[]): T => of[below(of.length)] as T;
  const several = <T>(most: number, make: (at: number) => T): T[] => Array.from({ length: 1 + below(most) }, (_, at) => make(at));
  const word = (): string =>
    one("wool", "文字", "*", "_", "snake_case", "`", "#", "1.", "2)", "-", "+", ">", "[x]", "[ ]", "[^1]", "[^2]:", "<b>", "&amp;", "&", "|", "\\", "~~", "!", "![a](b)", "https://example.org", "www.example.org", "a@b.org", "「好」", "(c)", '"q"', "---", "===", "100%", "😀", "a:b");
  const words = (): string => several(4, word).join(one(" ", " ", ""));
  const marksOf = (): Made["marks"] => {
    const marks = [{ type: "bold" }, { type: "italic" }, { type: "strike" }, { type: "underline" }].filter(() => below(5) === 0);
    if (below(8) === 0) marks.unshift({ type: "link", attrs: { href: one("https://example.org/a_(b)?c=*d*", "/d/notes", "https://example.org/文") } } as never);
    return below(10) === 0 ? [{ type: "code" }] : marks;
  };
  const inline = (breaks: boolean): Made[] => {
    const pieces = several(4, (): Made => {
      if (breaks && below(9) === 0) return { type: "hardBreak" };
      if (below(12) === 0) return { type: "image", attrs: { src: "/api/v1/documents/x/attachments/1", alt: words(), title: null } };
      const marks = marksOf();
      // A backslash before a bar, in code in a table, is nothing that Markdown can say either.
      if (!breaks && marks?.[0]?.type === "code") return { type: "text", text: words().replaceAll("\\", "/"), marks };
      return { type: "text", text: words(), ...(marks && marks.length > 0 ? { marks } : {}) };
    });
    // Blanks at the ends of a line, and a break at the end of a paragraph, are nothing that Markdown can say.
    const said = pieces.flatMap((piece, at): Made[] => {
      if (piece.type === "hardBreak" && (at === 0 || at === pieces.length - 1 || pieces[at - 1]?.type === "hardBreak")) return [];
      return [piece.text === undefined ? piece : { ...piece, text: piece.text.trim() || "x" }];
    });
    while (said.at(-1)?.type === "hardBreak") said.pop();
    return said.length > 0 ? said : [{ type: "text", text: "x" }];
  };
  const paragraph = (): Made => ({ type: "paragraph", content: inline(true) });
  const item = (type: string, deep: number): Made => ({
    type,
    ...(type === "taskItem" ? { attrs: { checked: below(2) === 0 } } : {}),
    content: [paragraph(), ...(deep > 0 && below(3) === 0 ? [list(deep - 1)] : [])],
  });
  const list = (deep: number): Made => {
    const type = one("bulletList", "orderedList", "taskList");
    return {
      type,
      ...(type === "orderedList" ? { attrs: { start: one(1, 1, 3, 9), type: null } } : {}),
      content: several(3, () => item(type === "taskList" ? "taskItem" : "listItem", deep)),
    };
  };
  const cell = (type: string, align: string | null): Made => ({ type, attrs: { colspan: 1, rowspan: 1, colwidth: null, align }, content: [{ type: "paragraph", content: inline(false) }] });
  const block = (): Made => {
    switch (below(8)) {
      case 0:
        return { type: "heading", attrs: { level: 1 + below(6) }, content: inline(false) };
      case 1:
      case 2:
        return list(2);
      case 3:
        return { type: "blockquote", content: several(2, paragraph) };
      case 4:
        return { type: "codeBlock", attrs: { language: one("rust", null) }, content: [{ type: "text", text: several(3, () => `${one("", "    ")}${words()}`).join(one("\n", "\n```\n")) }] };
      case 5: {
        const columns = several(3, () => one("left", "right", "center", null, null));
        const row = (type: string): Made => ({ type: "tableRow", content: columns.map((align) => cell(type, align)) });
        return { type: "table", content: [row("tableHeader"), ...several(2, () => row("tableCell"))] };
      }
      case 6:
        return { type: "horizontalRule" };
      default:
        return paragraph();
    }
  };
  return { type: "doc", content: several(4, block) };
}


/** Every round has a seed of its own, which `SEED` repeats. */
function rounds(count: number, each: (content: JSONContent, seed: number) => void): void {
  const first = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  for (let seed = first; seed < first + count; seed++) {
    const text = Node.fromJSON(textSchema(), made(seeded(seed)));
    text.check();
    each(text.toJSON() as JSONContent, seed);
  }
}

test("out as Markdown and back in, the same text", { timeout: 60_000 }, () => {
  rounds(300, (content, seed) => {
    const markdown = markdownFrom(content);
    expect(fromMarkdown(markdown), `SEED=${seed}\n${markdown}`).toEqual(content);
  });
});

/** Out as a page and back in, without the title that leads it. */
function asPage(content: JSONContent): JSONContent {
  const page = fromHtml(htmlFrom(content, "Title", "en"));
  return { ...page, content: (page.content ?? []).slice(1) };
}

const wordsOf = (content: JSONContent): string => Node.fromJSON(textSchema(), content).textContent;

test("out as a page and back in, the same text", { timeout: 60_000 }, () => {
  rounds(60, (content, seed) => {
    // A page names every address in full; from then on nothing changes.
    const once = asPage(content);
    expect(wordsOf(once), `SEED=${seed}`).toBe(wordsOf(content));
    expect(asPage(once), `SEED=${seed}`).toEqual(once);
  });
});
