// Cells of a table are merged, split and made wider in a browser, and another sees it, while somebody writes in them.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openDocument, screenshot, startBrowser, startServer, stored, title, until } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const cells = ({ page }) => page.locator(".prose :is(td, th)");
const cell = (somebody, content) => cells(somebody).filter({ hasText: content });
/** Rows of cells, each with its words and how many columns and rows it takes. */
const table = ({ page }) =>
  page.locator(".prose table").evaluate(({ rows }) =>
    [...rows].map((row) => [...row.cells].map(({ innerText, colSpan, rowSpan }) => `${innerText.trim().replaceAll(/\s+/g, " ")}${colSpan * rowSpan > 1 ? ` ${colSpan}×${rowSpan}` : ""}`).join(" | ")),
  );
const bothSee = (one, other, rows) =>
  until(`both see ${rows.join(" / ")}`, async () => {
    const [here, there] = [await table(one), await table(other)];
    return here.join("\n") === rows.join("\n") && there.join("\n") === rows.join("\n");
  });

async function withTable(somebody) {
  await somebody.page.locator(".prose").focus();
  await somebody.page.evaluate(() => {
    const data = new DataTransfer();
    const row = (name) => `<tr><td>${name}1</td><td>${name}2</td><td>${name}3</td></tr>`;
    data.setData("text/html", `<table>${row("a")}${row("b")}${row("c")}</table><p>after</p>`);
    document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await cell(somebody, "c3").waitFor();
}

async function drag({ page }, from, to) {
  await page.mouse.move(...from);
  await page.mouse.down();
  for (const part of [0.3, 0.6, 1]) await page.mouse.move(from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part);
  await page.mouse.up();
}

const middle = async (locator) => {
  const { x, y, width, height } = await locator.boundingBox();
  return [x + width / 2, y + height / 2];
};

for (const [theme, language, say] of [
  ["light", "en-GB", { table: "Table", merge: "Merge cells", split: "Split cell" }],
  ["dark", "zh-TW", { table: "表格", merge: "合併儲存格", split: "分割儲存格" }],
]) {
  test(`cells are merged while a colleague writes in one of them, and split again, ${theme}`, async () => {
    const [ann, bo] = await Promise.all([browser.person(server, { theme, language }), browser.person(server)]);
    await openDocument(ann, `merge ${theme}`);
    await withTable(ann);
    await openDocument(bo, `merge ${theme}`);
    await cell(bo, "c3").waitFor();
    const pick = async (item) => {
      await ann.page.getByRole("toolbar", { name: say.table, exact: true }).getByRole("button", { name: say.table, exact: true }).click();
      await ann.page.getByRole("menuitem", { name: item, exact: true }).click();
    };
    await drag(ann, await middle(cell(ann, "a1")), await middle(cell(ann, "b2")));
    await until("four cells are selected", async () => (await ann.page.locator(".selectedCell").count()) === 4);
    await screenshot(ann, `table-selected-${theme}`);
    await cell(bo, "b2").click();
    await bo.page.keyboard.press("End");
    const writing = bo.page.keyboard.type(" bo writes", { delay: 30 });
    await pick(say.merge);
    await writing;
    await bothSee(ann, bo, ["a1 a2 b1 b2 bo writes 2×2 | a3", "b3", "c1 | c2 | c3"]);
    await screenshot(ann, `table-merged-${theme}`);
    await stored(ann);
    await bo.page.reload();
    await bothSee(ann, bo, ["a1 a2 b1 b2 bo writes 2×2 | a3", "b3", "c1 | c2 | c3"]);

    await cell(ann, "a1").click();
    await pick(say.split);
    await bothSee(ann, bo, ["a1 | a2 | a3", "b1 | b2 bo writes | b3", "c1 | c2 | c3"]);
  });
}

test("a column is as wide as it was drawn, for others and after a reload too", async () => {
  const [ann, bo] = [await browser.person(server), await browser.person(server)];
  await openDocument(ann, "widths");
  await withTable(ann);
  await openDocument(bo, "widths");
  await cell(bo, "c3").waitFor();
  const width = async (somebody, content) => (await cell(somebody, content).boundingBox()).width;
  const before = await width(ann, "a1");
  const { x, y, width: wide, height } = await cell(ann, "a1").boundingBox();
  await ann.page.mouse.move(x + wide / 2, y + height / 2);
  await ann.page.mouse.move(x + wide - 1, y + height / 2, { steps: 4 });
  await ann.page.locator(".column-resize-handle").first().waitFor();
  await drag(ann, [x + wide - 1, y + height / 2], [x + wide + 119, y + height / 2]);
  await until("it is wider", async () => Math.abs((await width(ann, "a1")) - before - 120) < 4);
  await until("and so for Bo", async () => Math.abs((await width(bo, "a1")) - before - 120) < 4);
  await screenshot(ann, "table-width");
  await stored(ann);
  await bo.page.reload();
  await title(bo).waitFor();
  await until("and after a reload", async () => Math.abs((await width(bo, "a1")) - before - 120) < 4);
});
