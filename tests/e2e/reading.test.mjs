// How a text reads: what stands over it, beside it and under it, and what is said about it.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, openDocument, openHome, screenshot, startBrowser, startServer, status, until, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** Markdown whose first line becomes the title, so that the text itself begins at the second level. */
const IMPORTED = `# The loom

## Two

words

#### Four

words

##### Five

words

###### Six

\`\`\`js
// Counts the threads.
const threads = 12;
\`\`\`

${"Word after word. ".repeat(300)}
`;

async function bringIn({ page }, files, button = "Import") {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: button }).click()]);
  await chooser.setFiles(Object.entries(files).map(([name, content]) => ({ name, mimeType: "text/markdown", buffer: Buffer.from(content) })));
}

const overlap = (one, other) => one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;

for (const theme of ["light", "dark"]) {
  test(`an imported text: headings in order and each to be told, code to be read, ${theme}`, async () => {
    const ann = await browser.person(server, { theme });
    const { page } = ann;
    await openHome(ann);
    await bringIn(ann, { [`loom-${theme}.md`]: IMPORTED });
    await page.locator(".prose .hljs-comment").waitFor();
    await status(ann, "saved");
    // axe knows the order of headings and the contrast of letters.
    await accessible(ann, "an imported text");
    const looks = await page.locator(".prose :is(h2, h3, h4, h5, h6)").evaluateAll((all) =>
      all.map((heading) => {
        const { fontSize, fontWeight, color, letterSpacing } = getComputedStyle(heading);
        return [fontSize, fontWeight, color, letterSpacing].join();
      }),
    );
    assert.equal(new Set(looks).size, 4, looks.join("\n"));
    await screenshot(ann, `imported-${theme}`);
  });
}

test("the text goes under the toolbar, not beside it", async () => {
  const ann = await browser.person(server);
  const { page } = ann;
  await openDocument(ann, "under the toolbar");
  await write(ann, "Word after word. ".repeat(20));
  for (let line = 0; line < 30; line++) await page.keyboard.press("Enter");
  await write(ann, "The end.");
  const box = await page.locator(".tools").first().boundingBox();
  for (const x of [40, box.x - 6, box.x + box.width + 6, 1240]) {
    const [there, paper] = await page.evaluate(
      ([x, y]) => {
        const element = document.elementFromPoint(x, y).closest(".tools-place");
        return [element && getComputedStyle(element).backgroundColor, getComputedStyle(document.documentElement).backgroundColor];
      },
      [x, box.y + box.height / 2],
    );
    assert.equal(there, paper, `at ${x}`);
  }
});

for (const width of [1280, 1000, 760]) {
  test(`the find bar leaves the tools in sight, ${width} px`, async () => {
    const ann = await browser.person(server, { size: [width, 800] });
    const { page } = ann;
    await openDocument(ann, `found at ${width}`);
    await write(ann, "```js ");
    await page.keyboard.press("Enter");
    await page.getByRole("combobox", { name: "Language of the code" }).waitFor();
    await page.keyboard.press("Control+f");
    const bar = await page.getByRole("search", { name: "Find" }).locator(".find-row").first().boundingBox();
    for (const tools of await page.locator(".tools").all()) assert.ok(!overlap(bar, await tools.boundingBox()));
  });
}

test("saved is one word, and where is said by the pill itself", async () => {
  const ann = await browser.person(server);
  await openDocument(ann, "saved where");
  const pill = ann.page.getByTestId("status");
  await until("the word is there", async () => (await pill.textContent()) === "Saved");
  assert.equal(await pill.getAttribute("title"), `Every change is on ${new URL(server.url).host}`);

  const mei = await browser.person(server, { name: "美", language: "zh-TW" });
  await openDocument(mei, "saved where");
  await mei.page.locator(".prose").focus();
  await mei.page.keyboard.type("我們一起寫 Weft 文件。");
  await mei.page.locator(".word-count").getByText("8 字", { exact: true }).waitFor();
  assert.equal(await mei.page.getByTestId("status").textContent(), "已儲存");
});
