// Plain text: one shared text for two people and for programs, coloured by what its title says it is.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Doc, applyUpdate } from "yjs";
import { accessible, fitsSideways, kept, openDocument, openHome, screenshot, startBrowser, startServer, status, text, title, until } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const lines = ({ page }) =>
  page.locator(".cm-line").evaluateAll((all) =>
    all.map((line) => {
      const copy = line.cloneNode(true);
      for (const caret of copy.querySelectorAll(".caret, .cm-placeholder")) caret.remove();
      return copy.textContent;
    }).join("\n"),
  );
const stored = async (name) => {
  const doc = new Doc();
  applyUpdate(doc, new Uint8Array(await (await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}/state`)).arrayBuffer()));
  return { content: doc.getText("content").toJSON(), kind: doc.getMap("meta").get("kind") };
};

test("a new plain text, two people in it, carets with names, and one shared text on the server", async () => {
  const ann = await browser.person(server, { name: "Ann Lee" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New plain text" }).click();
  await status(ann, "saved");
  await title(ann).fill("Shopping");
  await title(ann).press("Enter");
  await ann.page.keyboard.type("# List\nmilk\n");
  await bo.page.goto(ann.page.url());
  await status(bo, "saved");
  await until("Bo reads it", async () => (await lines(bo)) === "# List\nmilk\n");
  await text(bo).focus();
  await bo.page.keyboard.press("Control+End");
  await bo.page.keyboard.type("bread");
  await until("Ann reads both", async () => (await lines(ann)) === "# List\nmilk\nbread");
  const caret = ann.page.locator(".caret");
  assert.equal(await caret.locator(".caret-name").getAttribute("data-name"), "Bo");
  assert.equal(await caret.evaluate((element) => getComputedStyle(element).borderInlineStartColor), "rgb(207, 47, 116)");
  await screenshot(ann, "plain-light");

  // Undo takes back one's own words and leaves a colleague's.
  await text(ann).focus();
  for (let step = 0; step < 4; step++) await ann.page.keyboard.press("Control+z");
  await until("only Bo's words are left", async () => (await lines(bo)) === "bread");
  await ann.page.keyboard.press("Control+y");
  await until("redo brings Ann's back", async () => (await lines(bo)).startsWith("# List"));

  const name = decodeURIComponent(new URL(ann.page.url()).pathname.slice(3));
  await until("the server holds it", async () => (await stored(name)).content === (await lines(ann)));
  assert.equal((await stored(name)).kind, "plain");
  const chunks = await ann.page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js")).length);
  assert.ok(chunks > 0);
});

test("the title says what is coloured, in both themes", async () => {
  for (const theme of ["light", "dark"]) {
    const ann = await browser.person(server, { theme });
    const name = `code ${theme}`;
    await openHome(ann);
    await ann.page.getByRole("button", { name: "New plain text" }).click();
    await status(ann, "saved");
    await title(ann).fill(`${name}.py`);
    await title(ann).press("Enter");
    await ann.page.keyboard.insertText('def weave(threads: int) -> str:\n    """Over and under."""\n    # one by one\n    return "cloth" * threads if threads > 2 else None\n');
    await ann.page.locator(".tok-keyword", { hasText: "def" }).waitFor();
    await ann.page.locator(".cm-lineNumbers").waitFor();
    await accessible(ann, `code, ${theme}`);
    await screenshot(ann, `plain-code-${theme}`);
    await title(ann).fill(name);
    await until("words again", async () => (await ann.page.locator(".cm-lineNumbers").count()) === 0);
    await text(ann).focus();
    await ann.page.keyboard.press("Control+End");
    await ann.page.keyboard.insertText("\n# Heading\n\n**strong** and *soft* with [a link](https://example.org)\n\n```js\nconst x = 1;\n```\n");
    await ann.page.locator(".tok-heading", { hasText: "Heading" }).waitFor();
    await ann.page.locator(".tok-keyword", { hasText: "const" }).waitFor();
    await accessible(ann, `Markdown, ${theme}`);
    await screenshot(ann, `plain-markdown-${theme}`);
  }
});

test("finding in it, in words of one's own language", async () => {
  const ann = await browser.person(server, { language: "zh-TW" });
  await openHome(ann);
  await ann.page.getByRole("button", { name: "新增純文字" }).click();
  await status(ann, "saved");
  await ann.page.getByRole("textbox", { name: "文件內容" }).focus();
  await ann.page.keyboard.insertText("warp weft warp");
  await ann.page.keyboard.press("Control+f");
  await ann.page.getByRole("textbox", { name: "尋找" }).pressSequentially("warp");
  await until("both places are marked", async () => (await ann.page.locator(".cm-searchMatch").count()) === 2);
  await accessible(ann, "the search of plain text");
  await screenshot(ann, "plain-find-light");
  await ann.page.keyboard.press("Escape");
  await ann.page.keyboard.press("Control+Alt+g");
  await ann.page.locator(".cm-goto-line input").waitFor();
  await accessible(ann, "going to a line");
  await screenshot(ann, "plain-goto-light");
});

test("it is kept on this device, and edits without a server arrive once", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New plain text" }).click();
  await status(ann, "saved");
  await text(ann).focus();
  await ann.page.keyboard.type("first line");
  const name = decodeURIComponent(new URL(ann.page.url()).pathname.slice(3));
  await until("the server holds it", async () => (await stored(name)).content === "first line");
  await server.kill();
  await status(ann, "reconnecting");
  await ann.page.keyboard.type(", and more");
  await kept(ann);
  await server.start();
  await status(ann, "saved");
  await until("the server holds all of it", async () => (await stored(name)).content === "first line, and more");
  await ann.page.reload();
  await until("it opens again", async () => (await lines(ann)) === "first line, and more");
});

test("on a phone nothing scrolls sideways", async () => {
  const ann = await browser.person(server, { size: [320, 640] });
  await openHome(ann);
  await fitsSideways(ann, "home");
  await ann.page.getByRole("button", { name: "New plain text" }).click();
  await status(ann, "saved");
  await title(ann).fill("long.rs");
  await text(ann).focus();
  await ann.page.keyboard.insertText(`let x = "${"a very long line ".repeat(20)}";`);
  await fitsSideways(ann, "plain text");
  await accessible(ann, "plain text on a phone");
  await screenshot(ann, "plain-320");
});
