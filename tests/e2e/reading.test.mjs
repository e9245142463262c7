// How a text reads: what stands over it, beside it and under it, and what is said about it.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, api, fitsSideways, makeText, openDocument, openHome, reading, screenshot, select, startBrowser, startServer, status, title, until, words, write } from "./support.mjs";

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

for (const [language, said, make] of [
  ["en-GB", "Nothing was ever made at this address", "New text"],
  ["zh-TW", "這個位址還沒有任何文件", "新增文件"],
]) {
  test(`an address at which nothing was made says so and offers to make it, ${language}`, async () => {
    const name = `never made ${language}`;
    const ann = await browser.person(server, { language, theme: language === "zh-TW" ? "dark" : "light" });
    const bo = await browser.person(server, { name: "Bo", language });
    // The browser itself reports the answer to the question whether it is there.
    for (const person of [ann, bo]) person.mayLoseNetwork = true;
    await ann.page.goto(`${server.url}/d/${encodeURIComponent(name)}`);
    await ann.page.getByRole("heading", { level: 1, name: said }).waitFor();
    assert.equal(await ann.page.locator(".prose").count(), 0);
    await accessible(ann, "an address at which nothing was made");
    await screenshot(ann, `never-made-${language}`);
    // Looking made nothing, neither there nor here.
    assert.equal((await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}`)).status, 404);
    assert.equal(await ann.page.evaluate(() => localStorage.getItem("weft.kept") ?? ""), "");
    await bo.page.goto(ann.page.url());
    await bo.page.getByRole("heading", { level: 1, name: said }).waitFor();
    await ann.page.getByRole("button", { name: make, exact: true }).click();
    for (const person of [ann, bo]) await person.page.locator(".prose").waitFor();
    await until("the caret is in the new text", () => ann.page.locator(".prose").evaluate((element) => element === document.activeElement));
    await ann.page.keyboard.type("made");
    await bo.page.locator(".prose p", { hasText: "made" }).waitFor();
  });
}

test("a document that was made and holds nothing is a document", async () => {
  assert.ok((await fetch(`${server.url}/api/v1/documents`, { method: "POST", body: JSON.stringify({ name: "holds nothing" }), headers: { "content-type": "application/json" } })).ok);
  const ann = await browser.person(server);
  await openDocument(ann, "holds nothing");
  await write(ann, "words");
});

test("two people inside never have one colour, whatever they chose; whoever came first keeps theirs", async () => {
  const people = [];
  const faces = ({ page }) => page.locator(".doc-bar .avatar").evaluateAll((all) => all.map((avatar) => getComputedStyle(avatar).backgroundColor));
  for (const name of ["Ann", "Bo", "Cy"]) {
    const person = await browser.person(server, { name, colour: "#0e7490" });
    await openDocument(person, "one colour");
    people.push(person);
  }
  for (const person of people) await until(`${person.name} sees three colours`, async () => new Set(await faces(person)).size === 3);
  const [ann, bo] = people;
  assert.equal((await faces(ann)).at(-1), "rgb(14, 116, 144)");
  await write(bo, "Here I am.");
  const caret = await ann.page.locator(".prose .caret").evaluate((element) => element.getAttribute("style"));
  assert.ok(!caret.includes("#0e7490") && !caret.includes("14, 116, 144"), caret);
  // What another wears cannot be chosen.
  await bo.page.getByRole("button", { name: /^You and this page/ }).click();
  assert.ok(await bo.page.getByRole("radio", { name: "Colour 7, which somebody here has" }).isDisabled());
});

test("a new text is called by its first line until somebody gives it a title", async () => {
  const [ann, bo] = [await browser.person(server), await browser.person(server, { name: "Bo" })];
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New text" }).first().click();
  await status(ann, "saved");
  await until("the caret is in it", () => ann.page.locator(".prose").evaluate((element) => element === document.activeElement));
  await ann.page.keyboard.type("Warp and weft\nand more");
  await until("it is called so", async () => (await title(ann).inputValue()) === "Warp and weft" && (await ann.page.title()) === "Warp and weft · Weft");
  await status(ann, "saved");
  await openHome(bo);
  await bo.page.getByRole("link", { name: /Warp and weft/ }).click();
  await status(bo, "saved");
  await title(bo).fill("The loom");
  await until("Ann sees the title", async () => (await title(ann).inputValue()) === "The loom");
  await select(ann, "Control+Home");
  await ann.page.keyboard.type("The ");
  await until("Bo reads it", async () => (await reading(bo)).includes("The Warp and weft"));
  assert.equal(await title(bo).inputValue(), "The loom");
});

for (const [theme, size, language, say] of [
  ["light", [1280, 820], "en-GB", { table: "Table", row: "Row", column: "Column", below: "Row below", after: "Column after", remove: "Delete row", all: "Delete table" }],
  ["dark", [390, 780], "zh-TW", { table: "表格", row: "列", column: "欄", below: "在下方插入列", after: "在後方插入欄", remove: "刪除列", all: "刪除表格" }],
]) {
  test(`a table has handles at the row, the column and the corner, ${size[0]} px`, async () => {
    const ann = await browser.person(server, { theme, size, language });
    const { page } = ann;
    await openDocument(ann, `handles ${language}`);
    await page.locator(".prose").focus();
    await page.locator(".tools").getByRole("button", { name: say.table, exact: true }).click();
    const handles = page.getByRole("toolbar", { name: say.table, exact: true });
    const handle = (name) => handles.getByRole("button", { name, exact: true });
    const pick = async (name, item) => {
      await handle(name).click();
      await page.getByRole("menuitem", { name: item, exact: true }).click();
    };
    await handle(say.row).waitFor();
    await page.keyboard.type("one");
    const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
    const shape = () => page.locator(".prose table").evaluateAll(([table]) => table && [table.rows.length, table.rows[0].cells.length].join(" × "));
    assert.equal(await shape(), "3 × 3");
    await pick(say.row, say.below);
    await pick(say.column, say.after);
    assert.equal(await shape(), "4 × 4");
    // They stand at the row and the column of the cell with the caret, each at its own side, and on the screen.
    await page.mouse.move(2, 500);
    const cell = await page.evaluate(() => {
      const { anchorNode: node } = getSelection();
      const { x, y, width, height } = (node instanceof Element ? node : node.parentElement).closest("td, th").getBoundingClientRect();
      return { x, y, width, height };
    });
    const table = await page.locator(".prose .tableWrapper").boundingBox();
    await until("the handles are there", async () => Math.abs(middle(await handle(say.row).boundingBox())[1] - middle(cell)[1]) < 3);
    const [row, column, corner] = await Promise.all([handle(say.row), handle(say.column), handle(say.table)].map((one) => one.boundingBox()));
    assert.ok(Math.abs(middle(row)[1] - middle(cell)[1]) < 3 && middle(row)[0] <= table.x, JSON.stringify([row, cell]));
    assert.ok(Math.abs(middle(column)[0] - middle(cell)[0]) < 3 && middle(column)[1] <= table.y, JSON.stringify([column, cell]));
    for (const box of [row, column, corner]) assert.ok(box.x >= 0 && box.width >= 24 && box.height >= 24, JSON.stringify(box));
    // A table that was just made has nothing in its header yet.
    await accessible(ann, "the handles of a table", ["empty-table-header"]);
    await fitsSideways(ann, "a table");
    await screenshot(ann, `table-handles-${theme}`);
    if (size[0] > 500) {
      // The pointer takes them along, and what is picked is done there, not where the caret is.
      await page.locator(".prose td", { hasText: "" }).nth(5).hover();
      const there = await page.locator(".prose td").nth(5).boundingBox();
      await until("the handle went along", async () => Math.abs(middle(await handle(say.row).boundingBox())[1] - middle(there)[1]) < 3);
      await pick(say.row, say.remove);
      assert.equal(await shape(), "3 × 4");
      await page.locator(".prose th", { hasText: "one" }).waitFor();
    }
    await pick(say.table, say.all);
    assert.equal(await shape(), undefined);
    await handles.waitFor({ state: "detached" });
    // The caret is in the text: one goes on writing.
    await page.keyboard.type("after");
    await words(ann, "after").waitFor();
  });
}

for (const [theme, size, language, say] of [
  ["light", [1280, 820], "en-GB", { share: "Share", allows: /can read this document and write in it/, here: /this computer only/, link: "Link to this document", copy: "Copy link" }],
  ["dark", [390, 780], "zh-TW", { share: "分享", allows: /都可以閱讀並書寫這份文件/, here: /只在這部電腦上有效/, link: "這份文件的連結", copy: "複製連結" }],
]) {
  test(`the button to share says what the link allows, ${size[0]} px`, async () => {
    const ann = await browser.person(server, { theme, size, language });
    await openDocument(ann, "to share");
    await ann.page.getByRole("button", { name: say.share, exact: true }).click();
    const card = ann.page.getByRole("dialog");
    await card.getByText(say.allows).waitFor();
    await card.getByText(say.here).waitFor();
    assert.equal(await card.getByRole("textbox", { name: say.link }).inputValue(), `${server.url}/d/to%20share`);
    await accessible(ann, "sharing");
    await screenshot(ann, `share-${theme}`);
    await ann.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await card.getByRole("button", { name: say.copy }).click();
    assert.equal(await ann.page.evaluate(() => navigator.clipboard.readText()), `${server.url}/d/to%20share`);
    await ann.page.keyboard.press("Escape");
    await card.waitFor({ state: "detached" });
  });
}

const rowMenu = async ({ page }, name, item) => {
  await page.getByRole("button", { name: `More for “${name}”` }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};

test("a document is renamed from the first page, also while somebody writes in it", async () => {
  await api(server, "POST", "", { name: "to rename", title: "Old name" });
  const [ann, bo] = [await browser.person(server), await browser.person(server, { name: "Bo" })];
  await openDocument(bo, "to rename");
  await write(bo, "Bo writes.");
  await openHome(ann);
  await rowMenu(ann, "Old name", "Rename");
  const dialog = ann.page.getByRole("dialog", { name: "Rename the document" });
  assert.equal(await dialog.getByRole("textbox").inputValue(), "Old name");
  await accessible(ann, "the question for a title");
  await screenshot(ann, "rename-light");
  await dialog.getByRole("textbox").fill("New name");
  await dialog.getByRole("textbox").press("Enter");
  await ann.page.getByRole("link", { name: /New name/ }).waitFor();
  await until("Bo sees it", async () => (await title(bo).inputValue()) === "New name");
  assert.equal((await api(server, "GET", "/to%20rename")).title, "New name");
  await words(bo, "Bo writes.").waitFor();
});

test("a duplicate has everything, its pictures too, and lives on without the original", async () => {
  const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  await makeText(server, "original");
  const attachments = `${server.url}/api/v1/documents/original/attachments`;
  const { url } = await (await fetch(attachments, { method: "POST", body: picture, headers: { "content-type": "image/png" } })).json();
  const ann = await browser.person(server);
  await openDocument(ann, "original");
  await title(ann).fill("The original");
  await write(ann, "Words to keep. ");
  await ann.page.locator(".prose").evaluate((element, html) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/html", html);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, `<p>Seen: <img src="${url}" alt="a dot"></p>`);
  await ann.page.locator(`.prose img[src*="/original/"]`).waitFor();
  await status(ann, "saved");
  await openHome(ann);
  await rowMenu(ann, "The original", "Duplicate");
  await ann.page.locator(".toast").getByText("“Copy of The original” is there").waitFor();
  await api(server, "DELETE", "/original?permanent=true");
  await ann.page.getByRole("link", { name: /Copy of The original/ }).click();
  await words(ann, "Words to keep.").waitFor();
  const copied = ann.page.locator(".prose img[alt='a dot']");
  await until("the picture is drawn", () => copied.evaluate((image) => image.complete && image.naturalWidth === 1));
  assert.ok(!(await copied.getAttribute("src")).includes("/original/"));
});

for (const [theme, language, say] of [
  ["light", "en-GB", { chat: /^Chat/, back: "Back to the document" }],
  ["dark", "zh-TW", { chat: /^聊天/, back: "回到文件" }],
]) {
  test(`on a phone the chat is a page with a way back, ${language}`, async () => {
    const ann = await browser.person(server, { theme, language, size: [390, 780] });
    const { page } = ann;
    const name = `phone chat ${language}`;
    await openHome(ann);
    await openDocument(ann, name);
    const button = page.getByRole("button", { name: say.chat });
    const chat = page.locator(".chat");
    for (const leave of [() => page.getByRole("button", { name: say.back }).click(), () => page.goBack(), () => page.keyboard.press("Escape")]) {
      await button.click();
      await chat.waitFor();
      const box = await chat.boundingBox();
      assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 390, 780]);
      // Nothing behind it can be reached.
      for (const part of [".doc-bar", "#content"]) assert.ok(await page.locator(part).evaluate((element) => element.inert), part);
      await accessible(ann, "the chat of a phone");
      await leave();
      await chat.waitFor({ state: "detached" });
      for (const part of [".doc-bar", "#content"]) assert.ok(await page.locator(part).evaluate((element) => !element.inert), part);
      assert.equal(decodeURIComponent(new URL(page.url()).pathname), `/d/${name}`);
      assert.ok(await button.evaluate((element) => element === document.activeElement));
    }
    await button.click();
    await chat.waitFor();
    await screenshot(ann, `phone-chat-page-${theme}`);
  });
}
