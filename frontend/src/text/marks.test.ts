// @vitest-environment happy-dom
// Marks beyond the usual: told from other programs' HTML, kept by Markdown and HTML both ways, and readable in both themes.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COLOURS, nearestColour } from "./colours";
import { fromHtml, fromMarkdown, htmlFrom, markdownFrom } from "./convert";

const HTML: readonly (readonly [string, string, string])[] = [
  ["Word", '<p><span style="color:#C00000">r</span> <span style="background:yellow;mso-highlight:yellow">h</span> x<sub>2</sub></p>', '<p><span data-color="red">r</span> <mark data-color="yellow">h</mark> x<sub>2</sub></p>'],
  ["Google Docs", '<p>first</p><p style="text-align:center"><span style="color:#000000;background-color:transparent">k</span><span style="color:#ff0000;background-color:#00ffff">b</span><span style="vertical-align:super">2</span></p>', '<p style="text-align: center"><span data-color="red"><mark data-color="green">b</mark></span>'],
  ["HTML", '<h2 align="right">t</h2><p><mark>m</mark></p>', '<p><mark>m</mark></p>'],
];

test.each(HTML)("from %s", (_name, html, expected) => {
  const out = htmlFrom(fromHtml(html), "t", "en").replaceAll("</span><span", "</span><span");
  if (!expected.startsWith('<p style')) expect(out).toContain(expected);
  else for (const part of ['style="text-align: center', 'data-color="red"', "<mark data-color=", "<sup>2</sup>", "k"]) expect(out).toContain(part);
});

test("how the lines of a block are set is taken from other programs", () => {
  expect(fromHtml('<p>first</p><p style="text-align:center">a</p><h2 align="right">b</h2><p style="text-align: left">c</p>').content?.map(({ attrs }) => attrs?.["align"] as unknown)).toEqual([null, "center", "right", null]);
});

test("Markdown and HTML give back what they were given", () => {
  const markdown = 'a <mark data-color="green">b</mark> <span data-color="red">c</span> x<sub>2</sub> y<sup>3</sup> <mark>d</mark>\n';
  expect(markdownFrom(fromMarkdown(markdown))).toBe(markdown);
  const content = fromHtml('<p style="text-align: right">a <mark data-color="pink">b</mark></p>');
  expect(fromHtml(htmlFrom(content, "t", "en").replace(/<h1>.*?<\/h1>/, ""))).toEqual(content);
});

test("black, white and the colours of links are no colours", () => {
  for (const style of ["#000", "#ffffff", "rgb(0, 0, 0)", "transparent", "rgba(255, 0, 0, 0)", "#0563C1", "#1155cc", "inherit"]) expect(nearestColour(style), style).toBeNull();
  expect(["#ff0000", "rgb(255, 165, 0)", "yellow", "#70AD47", "#4472C4", "#7030A0", "#808080"].map(nearestColour)).toEqual(["red", "orange", "yellow", "green", "blue", "purple", "grey"]);
});

test("every colour can be read on the paper of either theme, and words on every highlight", () => {
  const css = readFileSync("src/text/text.css", "utf8");
  const tokens = readFileSync("src/ui/theme.css", "utf8");
  const pair = (text: string, find: RegExp): readonly string[] => find.exec(text)?.slice(1) ?? [];
  const [paper, ink] = ["paper", "ink"].map((name) => pair(tokens, new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`)));
  for (const colour of COLOURS) {
    const [words, behind] = ["span", "mark"].map((tag) => pair(css, new RegExp(`${tag}\\[data-color="${colour}"\\] \\{[^}]*light-dark\\((#\\w+), (#\\w+)\\)`)));
    for (const theme of [0, 1]) {
      expect(contrast(words?.[theme], paper?.[theme]), `${colour}, theme ${theme}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(ink?.[theme], behind?.[theme]), `on ${colour}, theme ${theme}`).toBeGreaterThanOrEqual(4.5);
    }
  }
});

function contrast(one = "", other = ""): number {
  const light = (hex: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(one), light(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
