// @vitest-environment happy-dom
// What Markdown can say survives import and export, and nothing that runs survives an import.
import { expect, test } from "vitest";
import { Doc, applyUpdate } from "yjs";
import { readKind } from "../documents/kind";
import { CONTENT } from "../documents/roots";
import { contentOf, formatOf, fromHtml, fromMarkdown, htmlFrom, importFile, markdownFrom } from "./convert";
import { readTitle } from "../documents/title";

const EVERYTHING = `# First

## Second

###### Sixth

Plain, **bold**, *italic*, ~~struck~~, \`code\`, <u>under</u> and [a link](https://example.org/x?y=1#z).

A line\\
broken on purpose.

- one
- two
  - two and a half
- three

1. first
2. second

- [ ] to do
- [x] done

> Quoted **words**
>
> in two paragraphs

\`\`\`rust
fn main() {
    println!("* not emphasis *");
}
\`\`\`

| Yarn | Metres |
| --- | --- |
| Linen | 120 |
| Wool \\| silk | 80 |

![A loom](/api/v1/documents/x/attachments/1)

---

Last \\* words \\_ with \\# signs & <angles> and 100% 文字。
`;

test("what Markdown can say survives a round trip", () => {
  const once = fromMarkdown(EVERYTHING);
  const markdown = markdownFrom(once);
  expect(fromMarkdown(markdown)).toEqual(once);
  for (const part of ["# First", "###### Sixth", "**bold**", "~~struck~~", "[a link](https://example.org/x?y=1#z)", "two and a half", "- [x] done", "> in two", "```rust", '"* not emphasis *"', "Linen", "![A loom](/api/v1/documents/x/attachments/1)", "---", "文字。"]) {
    expect(markdown).toContain(part);
  }
});

test("each thing Markdown says becomes the block it means", () => {
  const types = new Set<string>();
  const walk = (node: { type?: string; content?: unknown[]; marks?: { type: string }[] }): void => {
    if (node.type) types.add(node.type);
    for (const mark of node.marks ?? []) types.add(mark.type);
    for (const child of node.content ?? []) walk(child as never);
  };
  walk(fromMarkdown(EVERYTHING));
  const wanted = ["heading", "bold", "italic", "strike", "code", "underline", "link", "hardBreak", "bulletList", "orderedList", "taskList", "blockquote", "codeBlock", "table", "image", "horizontalRule"];
  expect(wanted.filter((type) => !types.has(type))).toEqual([]);
});

test("HTML is cleaned: nothing that runs or loads survives", () => {
  const json = JSON.stringify(
    fromHtml(`<h1 onclick="alert(1)">Title</h1><script>alert(2)</script><p style="background:url(//elsewhere)">words <a href="javascript:alert(3)">press</a>
      <a href="https://example.org/">go</a><img src="data:image/png;base64,AAAA"><img src=x onerror=alert(4)><object data="//elsewhere"></object></p>`),
  );
  expect(json).toContain("words");
  expect(json).toContain("https://example.org/");
  for (const bad of ["alert", "javascript", "base64", "onerror", "elsewhere", "object"]) expect(json).not.toContain(bad);
});

test("an exported page is a page, with the levels its author gave", () => {
  const html = htmlFrom(fromMarkdown("# One\n\n![x](/api/v1/a)\n\n<b>bold</b> & more"), "A <title>", "en");
  expect(html).toContain("<!doctype html>");
  expect(html).toContain("<title>A &lt;title&gt;</title>");
  expect(html).toContain("<style>");
  expect(JSON.stringify(fromHtml(html))).not.toContain("max-width");
  expect(html).toMatch(/src="http[^"]*\/api\/v1\/a"/);
  expect(fromHtml(html).content?.some((node) => node.type === "heading" && node.attrs?.["level"] === 1)).toBe(true);
});

test("a file becomes a document of the right kind", () => {
  const opened = (name: string, text: string): Doc => {
    const doc = new Doc();
    applyUpdate(doc, importFile(name, text).update);
    return doc;
  };
  const text = opened("notes.md", "# Workshop\n\nBring wool.");
  expect([readTitle(text), readKind(text)]).toEqual(["Workshop", "text"]);
  expect(contentOf(text).content?.map(({ type }) => type)).toEqual(["paragraph"]);

  const untitled = opened("a plan.html", "<p>no heading</p>");
  expect(readTitle(untitled)).toBe("a plan");

  const plain = opened("list.txt", "\ufeffone\r\ntwo");
  expect([readTitle(plain), readKind(plain), plain.getText(CONTENT).toJSON()]).toEqual(["list", "plain", "one\ntwo"]);
  expect(readTitle(opened("main.rs", "fn main() {}"))).toBe("main.rs");
});

test("empty and odd files are documents too", () => {
  for (const name of ["x.md", "x.html", "x.txt"]) expect(() => importFile(name, "")).not.toThrow();
  expect(() => fromMarkdown("| a |\n|--|\n\n```\nnever closed")).not.toThrow();
  expect(() => fromMarkdown("![only](https://example.org/p.png)")).not.toThrow();
});

test("an address as the words of a link is one link, to where the link leads", () => {
  const json = JSON.stringify(fromMarkdown("[http://x.org/](https://example.org/)"));
  expect(json.match(/"type":"link"/g)).toHaveLength(1);
  expect(json).toContain("https://example.org/");
});

test("a link written as HTML in Markdown leads where it led", () => {
  const links = (markdown: string): [string | undefined, unknown][] =>
    (fromMarkdown(markdown).content?.[0]?.content ?? []).map(({ text, marks }) => [text, marks?.find(({ type }) => type === "link")?.attrs?.["href"] ?? null]);
  expect(links('See <a href="https://example.org/?a=1&amp;b=2" title="a > b">the *page*</a> there.')).toEqual([
    ["See ", null],
    ["the ", "https://example.org/?a=1&b=2"],
    ["page", "https://example.org/?a=1&b=2"],
    [" there.", null],
  ]);
  expect(links('<a href="javascript:alert(1)">press</a> <a name="here">here</a>')).toEqual([["press here", null]]);
  // The end of one that leads nowhere ends no link around it.
  expect(links('[a <a name="x">b</a> c](/d/notes)')).toEqual([["a b c", "/d/notes"]]);
});

test("a file is told by its name", () => {
  expect(["a.md", "B.MARKDOWN", "c.htm", "d.txt", "e.rs", "f"].map(formatOf)).toEqual(["markdown", "markdown", "html", "plain", "plain", "plain"]);
});

test("emphasis beside punctuation and letters is kept, where signs would not be read", () => {
  const doc = (...content: object[]): object => ({ type: "doc", content: [{ type: "paragraph", content }] });
  const words = (text: string, ...marks: string[]): object => ({ type: "text", text, ...(marks.length > 0 ? { marks: marks.map((type) => ({ type })) } : {}) });
  for (const [content, expected] of [
    [doc(words("他說"), words("「好」", "bold"), words("就走")), "他說<strong>「好」</strong>就走\n"],
    [doc(words("a "), words("b", "bold"), words(", c")), "a **b**, c\n"],
    [doc(words("un"), words("believ", "italic"), words("able")), "un*believ*able\n"],
    [doc(words("a", "bold"), words("b", "italic")), "<strong>a</strong><em>b</em>\n"],
  ] as const) {
    const markdown = markdownFrom(content);
    expect(markdown).toBe(expected);
    expect(markdownFrom(fromMarkdown(markdown))).toBe(expected);
  }
});

test("to which side the columns of a table are set survives", () => {
  const markdown = "| a | b | c | d |\n| :--- | :---: | ---: | --- |\n| 1 | 2 | 3 | 4 |\n";
  expect(markdownFrom(fromMarkdown(markdown))).toBe(markdown);
  expect(markdownFrom(fromHtml(htmlFrom(fromMarkdown(markdown), "T", "en")))).toContain("| :--- | :---: | ---: | --- |");
});

test("a bar in a cell ends none of its words, and what is said of a picture stays on its line", () => {
  const markdown = "| head |\n| --- |\n| `a\\\\|b` c\\|d `` x`\\|y `` \\\\\\| |\n";
  const content = fromMarkdown(markdown);
  expect(JSON.stringify(content)).toContain(JSON.stringify("a\\|b"));
  expect(markdownFrom(content)).toBe(markdown);
  const picture = { type: "image", attrs: { src: "/a", alt: "a\n\n# b", title: null } };
  expect(markdownFrom({ type: "doc", content: [{ type: "paragraph", content: [picture] }] })).toBe("![a  # b](/a)\n");
});

test("notes stay words, with what they say", () => {
  const markdown = "Wool[^1] and linen.[^b]\n\n[^1]: Spun.\n\n[^b]: Said *by* Ann.\n";
  expect(markdownFrom(fromMarkdown(markdown))).toBe(markdown);
  const said = fromMarkdown("[^1]: one\ngoes on\n[^2]: two\n- a\n");
  expect(said.content?.map(({ type }) => type)).toEqual(["paragraph", "paragraph", "bulletList"]);
  expect(JSON.stringify(fromMarkdown("a[^1]\n\n[^1]: x"))).not.toContain("link");
  // What could be taken for the words of a link is written so that it is not.
  const odd = { type: "doc", content: [{ type: "paragraph", content: [{ type: "text", text: "[^1](https://example.org)" }] }] };
  expect(JSON.stringify(fromMarkdown(markdownFrom(odd)))).not.toContain('"link"');
});

test("what a file says about itself before the text gives the title, and the rest is kept", () => {
  const opened = (text: string): [string, unknown[]] => {
    const doc = new Doc();
    applyUpdate(doc, importFile("file.md", text).update);
    return [readTitle(doc), (contentOf(doc).content ?? []).map(({ type, content }) => [type, content?.map(({ text }) => text ?? "").join("")])];
  };
  expect(opened('\ufeff---\r\ntitle: "Said: \\"so\\""\r\ntags: [a, b]\r\ndate: 2026-11-21\r\n---\r\n\r\n# Heading\r\n\r\nWords.\r\n')).toEqual([
    'Said: "so"',
    [
      ["codeBlock", "tags: [a, b]\ndate: 2026-11-21"],
      ["heading", "Heading"],
      ["paragraph", "Words."],
    ],
  ]);
  expect(opened("---\ntitle: Plain # not this\n---\n# Plain\n\nWords.")).toEqual(["Plain", [["paragraph", "Words."]]]);
  expect(opened("---\ntitle: 'It''s'\n...\nWords.")[0]).toBe("It's");
  // A line across and words that are none of it stay what they are.
  expect(opened("---\nwords\n\n---\n")[1]).toHaveLength(3);
  expect(fromMarkdown("---\na: b\n---\nwords").content?.[0]).toMatchObject({ type: "codeBlock", attrs: { language: "yaml" } });
});
