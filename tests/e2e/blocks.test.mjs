// Blocks as wholes, and what words can look like: moved by keys and by the handle beside them, made something else, copied;
// colours, sub- and superscript, alignment.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, openDocument, sameText, screenshot, select, startBrowser, startServer, until, words } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

for (const [theme, language, handle, duplicate, formats, red, highlight] of [
  ["light", "en-GB", "Block: drag to move, press for more", "Duplicate", "More formats", "Red", "Highlight"],
  ["dark", "zh-TW", "區塊：拖曳可移動，按下有更多選項", "建立副本", "更多格式", "紅色", "螢光標記"],
]) {
  test(`blocks are moved and copied, words coloured, ${theme}, ${language}`, async () => {
    const ann = await browser.person(server, { theme, language });
    const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
    const { page } = ann;
    await openDocument(ann, `blocks ${theme}`);
    await openDocument(bo, `blocks ${theme}`);
    const prose = page.locator(".prose");
    const lines = () => prose.locator("> *").allTextContents();
    await prose.focus();
    await page.keyboard.type("one\ntwo\nthree");
    await page.keyboard.press("Alt+ArrowUp");
    await until("it has moved up", async () => (await lines()).join() === "one,three,two");
    await page.keyboard.press("Alt+ArrowUp");
    await page.keyboard.press("Alt+ArrowUp");
    await page.keyboard.type("!");
    await until("it is the first, with the caret where it was", async () => (await lines()).join() === "three!,one,two");

    await words(ann, "one").hover();
    await page.getByRole("button", { name: handle }).click();
    await screenshot(ann, `block-menu-${theme}`);
    await accessible(ann, "the menu of a block", ["region"]);
    await page.getByRole("menuitem", { name: duplicate }).click();
    await until("it is there twice", async () => (await lines()).join() === "three!,one,one,two");

    await words(ann, "two").click();
    await select(ann, "Home");
    await select(ann, "Shift+End");
    await page.locator(".tools-place").getByRole("button", { name: formats }).click();
    const choices = page.getByRole("dialog", { name: formats });
    await choices.waitFor();
    await screenshot(ann, `formats-${theme}`);
    await accessible(ann, "the formats", ["region"]);
    await choices.getByRole("button", { name: red }).first().click();
    await bo.page.locator('.prose span[data-color="red"]', { hasText: "two" }).waitFor();
    await page.keyboard.press("Control+Shift+H");
    await bo.page.locator('.prose mark[data-color="yellow"]').waitFor();
    await page.keyboard.press("Control+Shift+E");
    await bo.page.locator('.prose p[style*="center"]').waitFor();
    assert.ok((await sameText(ann, bo)).includes("<mark"));
    assert.ok(highlight);
    await screenshot(ann, `formatted-${theme}`);
  });
}

test("who goes from the menu of one handle of a table to that of another has that one open, and then the caret again", async () => {
  const ann = await browser.person(server);
  const { page } = ann;
  await openDocument(ann, "handles");
  await page.locator(".prose").focus();
  await page.getByRole("button", { name: "Table", exact: true }).first().click();
  const handle = (name) => page.getByRole("toolbar", { name: "Table", exact: true }).getByRole("button", { name, exact: true });
  for (const [one, other, item] of [
    ["Column", "Row", "Row below"],
    ["Row", "Column", "Column after"],
  ]) {
    await handle(one).click();
    await page.getByRole("menu").waitFor();
    await handle(other).click();
    await page.getByRole("menuitem", { name: item }).waitFor();
    await until("the other menu is closed", async () => (await page.getByRole("menu").count()) === 1);
    // The focus would go back to the text some frames later.
    await page.evaluate(async () => {
      for (let frame = 0; frame < 10; frame++) await new Promise(requestAnimationFrame);
    });
    await page.getByRole("menuitem", { name: item }).click();
    await until("the focus is in the text", () => page.evaluate(() => document.activeElement?.matches(".prose")));
  }
  assert.deepEqual(await page.locator(".prose tr").evaluateAll((rows) => rows.map(({ cells }) => cells.length)), [4, 4, 4, 4]);
});

test("the menu of a block stays open when a colleague makes something else of the block, and is about what it has become", async () => {
  const ann = await browser.person(server);
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  const { page } = ann;
  await openDocument(ann, "menu");
  await openDocument(bo, "menu");
  await page.locator(".prose").focus();
  await page.keyboard.type("one\ntwo");
  await sameText(ann, bo);
  await words(ann, "two").hover();
  await page.getByRole("button", { name: "Block: drag to move, press for more" }).click();
  await page.getByRole("menu").waitFor();
  await words(bo, "one").click();
  await select(bo, "Home");
  await bo.page.keyboard.type("new\n");
  await words(bo, "two").click();
  await select(bo, "End");
  await bo.page.keyboard.press("Control+Alt+2");
  await page.locator(".prose h3, .prose h2", { hasText: "two" }).waitFor();
  await page.getByRole("menuitem", { name: "Duplicate" }).click();
  await until("it is there twice", async () => (await page.locator(".prose > *").allTextContents()).join() === "new,one,two,two");
  assert.equal(await page.locator(".prose > :is(h2, h3)").count(), 2);
});
