// What the text offers beyond typing: menus at the caret and over the selection, finding, the outline, colours in code,
// images, and ways out and back in.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { accessible, api, fitsSideways, openDocument, openHome, reading, sameText, screenshot, select, startBrowser, startServer, status, stored, text, title, twoIn, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const annAndBo = (document) => twoIn(browser, server, document);
const menu = async ({ page }, name) => {
  await page.getByRole("button", { name: "Document menu" }).click();
  await page.getByRole("menuitem", { name }).click();
};

test("slash offers blocks, by keys and by pointer, and a colleague's typing does not close it", async () => {
  const [ann, bo] = await annAndBo("slash");
  const { page } = ann;
  const offers = page.getByRole("listbox", { name: "Insert a block" });
  await write(ann, "/");
  await offers.waitFor();
  await screenshot(ann, "slash-light");
  // A list drawn beside the caret, outside the landmarks, as a menu is; the text points to it.
  await accessible(ann, "the slash menu", ["region"]);
  assert.equal(await text(ann).getAttribute("aria-activedescendant"), "suggest-offer-0");
  await page.keyboard.type("head");
  await until("only headings are offered", async () => (await offers.getByRole("option").count()) === 3);
  await bo.page.getByRole("textbox", { name: "Title" }).fill("Meanwhile");
  await until("Ann sees the title", async () => (await title(ann).inputValue()) === "Meanwhile");
  await offers.waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type("A heading");
  await page.locator(".prose h3", { hasText: "A heading" }).waitFor();
  await offers.waitFor({ state: "detached" });

  await page.keyboard.press("Enter");
  await page.keyboard.type("/");
  await offers.getByRole("option", { name: "Task list" }).click();
  await page.keyboard.type("buy wool");
  await bo.page.getByRole("checkbox", { name: "Done: buy wool" }).waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.keyboard.type("either/or and ");
  assert.equal(await offers.count(), 0);
  await page.keyboard.type("/");
  await offers.waitFor();
  await page.keyboard.press("Escape");
  await offers.waitFor({ state: "detached" });
  await page.keyboard.type("etc");
  assert.ok((await sameText(ann, bo)).includes("either/or and /etc"));
});

test("somebody inside is mentioned by name", async () => {
  const [ann, bo] = await annAndBo("mention");
  await bo.page.getByRole("button", { name: /where Ann Lee/ }).waitFor();
  await ann.page.getByRole("button", { name: /where Bo/ }).waitFor();
  await write(ann, "Ask @b");
  await ann.page.getByRole("listbox", { name: "Mention somebody" }).getByRole("option", { name: "Bo" }).waitFor();
  await screenshot(ann, "mention-light");
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("about it");
  await bo.page.locator(".prose .mention", { hasText: "@Bo" }).waitFor();
  await words(bo, "Ask @Bo about it").waitFor();
});

test("a selection brings its own menu", async () => {
  const [ann, bo] = await annAndBo("bubble");
  await write(ann, "plain words");
  await select(ann, "Shift+Home");
  const bubble = ann.page.getByRole("toolbar", { name: "Selection" });
  await bubble.waitFor();
  const [over, under] = await Promise.all([bubble.boundingBox(), words(ann, "plain words").boundingBox()]);
  assert.ok(over.y < under.y && Math.abs(over.x - under.x) < over.width, "the menu stands over the words");
  await screenshot(ann, "bubble-light");
  await accessible(ann, "the menu over a selection", ["region"]);
  await bubble.getByRole("button", { name: "Bold" }).click();
  await bo.page.locator(".prose strong", { hasText: "plain words" }).waitFor();
  await bubble.getByRole("button", { name: "Link" }).click();
  await ann.page.getByRole("textbox", { name: "Address" }).fill("example.org");
  await ann.page.keyboard.press("Enter");
  await bo.page.locator('.prose a[href="https://example.org/"]').waitFor();
});

test("find, go from place to place, and replace", async () => {
  const [ann, bo] = await annAndBo("find");
  const { page } = ann;
  await write(ann, "Warp and weft.\nThe weft crosses the warp.\nWeft!");
  await page.keyboard.press("Control+f");
  const bar = page.getByRole("search", { name: "Find" });
  await bar.getByRole("textbox", { name: "Find" }).fill("weft");
  // The nearest is gone to while the words are still being typed; then every key for the next place leads there.
  await bar.getByText("1 of 3").waitFor();
  assert.equal(await page.locator(".prose .ProseMirror-search-match").count(), 2);
  await page.locator(".prose .ProseMirror-active-search-match").waitFor();
  for (const [key, place] of [["Enter", 2], ["F3", 3], ["Control+g", 1], ["Control+Shift+G", 3], ["Shift+F3", 2]]) {
    await page.keyboard.press(key);
    await bar.getByText(`${place} of 3`).waitFor();
  }
  await screenshot(ann, "find-light");
  await accessible(ann, "the find bar");
  await bar.getByRole("textbox", { name: "Replace with" }).fill("thread");
  await bar.getByRole("button", { name: "Replace all" }).click();
  await words(bo, "The thread crosses the warp.").waitFor();
  await page.keyboard.press("Escape");
  await bar.waitFor({ state: "detached" });
  await until("the text has the focus", () => text(ann).evaluate((element) => element === document.activeElement));
  assert.equal(await page.locator(".prose .ProseMirror-search-match").count(), 0);
  // What was replaced is taken back, and so is what had been written before anything was looked for.
  await page.keyboard.press("Control+z");
  await words(bo, "The weft crosses the warp.").waitFor();
  await until("the words are taken back", async () => {
    await page.keyboard.press("Control+z");
    return (await text(bo).innerText()).trim() === "";
  });
});

test("a caret in a link says where it leads, and what can be done with it", async () => {
  const [ann] = await annAndBo("link card");
  const { page } = ann;
  await write(ann, "see [編織](https://example.org/編織) here");
  await page.locator(".prose a").click();
  const card = page.getByRole("region", { name: "Link" });
  await card.waitFor();
  const open = card.getByRole("link", { name: "example.org/編織" });
  assert.equal(await open.getAttribute("href"), encodeURI("https://example.org/編織"));
  await screenshot(ann, "link-card-light");
  await accessible(ann, "the card of a link");
  await card.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Address" }).fill("example.org/weft");
  await page.keyboard.press("Enter");
  await page.locator('.prose a[href="https://example.org/weft"]', { hasText: "編織" }).waitFor();
  await page.locator(".prose a").click();
  await card.getByRole("button", { name: "Remove" }).click();
  await until("it is words again", async () => (await page.locator(".prose a").count()) === 0);
  assert.ok((await reading(ann)).includes("see 編織 here"));
});

test("on a phone a wide table scrolls, undo is at hand, and links and images have their tools in the second row", async () => {
  const ann = await browser.person(server, { size: [390, 780] });
  const { page } = ann;
  await openDocument(ann, "phone tools");
  await write(ann, "words");
  const inSight = async (name) => {
    const box = await page.getByRole("toolbar", { name: "Formatting" }).getByRole("button", { name }).boundingBox();
    return box !== null && box.x >= 0 && box.x + box.width <= 390;
  };
  assert.ok((await inSight("Undo")) && (await inSight("Redo")));
  await write(ann, " [there](https://example.org/) and");
  await page.keyboard.press("Home");
  for (let step = 0; step < 8; step++) await page.keyboard.press("ArrowRight");
  await page.getByRole("region", { name: "Link" }).getByRole("link", { name: "example.org" }).waitFor();
  await screenshot(ann, "phone-link");
  await page.keyboard.press("End");
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/html", `<table><tr>${"<td>Wool and linen</td>".repeat(10)}</tr></table><p>after</p>`);
    document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  const cell = page.locator(".prose td").first();
  await cell.waitFor();
  assert.ok((await cell.boundingBox()).width >= 96, "a cell is wide enough for words");
  await fitsSideways(ann, "a wide table");
  await screenshot(ann, "phone-table");
  await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 60, height: 40 });
    const data = new DataTransfer();
    data.setData("text/html", `<p>dot: <img src="${canvas.toDataURL()}" alt="dot"></p>`);
    document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await page.getByRole("img", { name: "dot" }).tap();
  await page.getByRole("textbox", { name: "Describe the image" }).fill("A grey dot");
  await screenshot(ann, "phone-picture");
  await page.keyboard.press("Enter");
  await page.getByRole("img", { name: "A grey dot" }).waitFor();
  await page.setViewportSize({ width: 320, height: 640 });
  await menu(ann, "Find");
  const field = page.getByRole("textbox", { name: "Find" });
  assert.ok((await field.boundingBox()).width > 250, "what is looked for can be read");
  await screenshot(ann, "phone-find-320");
});

test("the outline lists the headings, follows them, and leads to them", async () => {
  const [ann, bo] = await annAndBo("outline");
  await write(ann, `# Beginning\n${"A line.\n".repeat(40)}## The end`);
  await menu(bo, "Outline");
  const outline = bo.page.getByRole("complementary", { name: "Outline" });
  await outline.getByRole("button", { name: "Beginning" }).waitFor();
  await outline.getByRole("button", { name: "The end" }).click();
  await until("the end is in sight", () => bo.page.locator(".prose h3", { hasText: "The end" }).evaluate((element) => element.getBoundingClientRect().top < innerHeight));
  await ann.page.keyboard.type(" of it");
  await outline.getByRole("button", { name: "The end of it" }).waitFor();
  await screenshot(bo, "outline-light");
  await accessible(bo, "the outline");
  await outline.getByRole("button", { name: "Close the outline" }).click();
  await outline.waitFor({ state: "detached" });
});

test("code is coloured, with grammars fetched only then", async () => {
  const [ann, bo] = await annAndBo("code");
  const grammars = () => ann.page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => name.includes("highlight-parser")).length);
  await write(ann, "no code yet");
  assert.equal(await grammars(), 0);
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("```rust fn main() { let x = 1; }");
  await ann.page.locator(".prose pre .hljs-keyword", { hasText: "fn" }).waitFor();
  await bo.page.locator(".prose pre .hljs-keyword", { hasText: "fn" }).waitFor();
  assert.equal(await grammars(), 1);
  await ann.page.getByRole("combobox", { name: "Language of the code" }).selectOption("python");
  await until("Bo sees no Rust any more", async () => (await bo.page.locator(".prose pre .hljs-keyword", { hasText: "let" }).count()) === 0);
  await screenshot(ann, "code-light");
});

const PICTURE = await readFile(new URL("../../frontend/public/icons/192.png", import.meta.url));
const paste = ({ page }, base64) =>
  page.evaluate((encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "loom-plan.png", { type: "image/png" }));
    document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, base64);

test("a pasted picture is stored on the server, and the document holds its address only", async () => {
  const [ann, bo] = await annAndBo("pictures");
  await write(ann, "See: ");
  await paste(ann, PICTURE.toString("base64"));
  const image = bo.page.locator(".prose img:not(.ProseMirror-separator)");
  await image.waitFor();
  await until("it is drawn", () => image.evaluate((element) => element.naturalWidth === 192));
  const { attachments } = await api(server, "GET", "/pictures/attachments");
  assert.deepEqual(attachments.map(({ type, bytes }) => [type, bytes]), [["image/png", PICTURE.length]]);
  const [{ url }] = attachments;
  assert.equal(await image.getAttribute("src"), url);
  assert.equal(await image.getAttribute("alt"), "loom plan");
  assert.ok(Buffer.from(await (await fetch(server.url + url)).arrayBuffer()).equals(PICTURE));
  const json = JSON.stringify(await api(server, "GET", "/pictures/json"));
  assert.ok(json.includes(url) && !json.includes("base64"), json.slice(0, 400));

  await ann.page.locator(".prose img:not(.ProseMirror-separator)").click();
  const description = ann.page.getByRole("textbox", { name: "Describe the image" });
  await until("it stands over the picture", async () => {
    const [over, under] = await Promise.all([description.boundingBox(), ann.page.locator(".prose img:not(.ProseMirror-separator)").boundingBox()]);
    return over.y + over.height <= under.y + 1 && Math.abs(over.x + over.width / 2 - under.x - under.width / 2) < 40;
  });
  await description.fill("The plan of the loom");
  await screenshot(ann, "picture-light");
  await description.press("Enter");
  await bo.page.getByRole("img", { name: "The plan of the loom" }).waitFor();
});

test("a picture on a slow line outlives the page, is marked until the server has it, and is dropped beside the text as well", async () => {
  const [ann, bo] = await annAndBo("slow pictures");
  // The server is asked for what it does not have yet.
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await write(ann, "See: ");
  let asked = 0;
  await ann.page.route("**/attachments", () => void (asked += 1));
  await paste(ann, PICTURE.toString("base64"));
  const own = ann.page.locator(".prose img[data-waiting]");
  await own.waitFor();
  assert.equal(await own.getAttribute("title"), "On this device; not on the server yet");
  assert.equal(asked, 1);
  await stored(ann);
  await ann.page.unroute("**/attachments");
  await ann.page.reload();
  const drawn = ({ page }, count) => until(`${count} pictures are drawn`, () => page.evaluate((count) => [...document.querySelectorAll(".prose img")].filter(({ naturalWidth, src }) => naturalWidth === 192 && !src.startsWith("blob:")).length === count, count));
  await drawn(bo, 1);
  await ann.page.locator(".prose img:not([data-waiting], .ProseMirror-separator)").waitFor();

  // Into the empty space below, as from a folder.
  await ann.page.evaluate((base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "again.png", { type: "image/png" }));
    const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer, clientX: 400, clientY: 760 });
    document.querySelector("main").dispatchEvent(event);
    if (!event.defaultPrevented) throw new Error("the browser would open it in place of the page");
  }, PICTURE.toString("base64"));
  await drawn(bo, 2);
  assert.equal((await api(server, "GET", `/${encodeURIComponent("slow pictures")}/attachments`)).attachments.length, 1);
});

test("pasted Markdown is read, bytes that are no picture are refused, and who has no caret is said", async () => {
  const [ann, bo] = await annAndBo("pastes");
  // Its address is in the text before the server has the picture; Bo's page asks until it is there.
  bo.mayLoseNetwork = true;
  const { page } = ann;
  const give = (data) =>
    page.evaluate(({ text, html, picture }) => {
      const transfer = new DataTransfer();
      if (text) transfer.setData("text/plain", text);
      if (html) transfer.setData("text/html", html);
      if (picture) transfer.items.add(new File([picture], "broken.png", { type: "image/png" }));
      document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
    }, data);
  const said = (words) => page.getByRole("status").filter({ hasText: words }).first().waitFor();
  await page.getByRole("button", { name: "Go to where Bo is writing" }).click();
  await said("Bo is here, but not in the text yet");
  await text(ann).focus();
  await give({ text: "# Plan\n\n- [x] warp\n- [ ] weft\n" });
  await page.locator(".prose h2", { hasText: "Plan" }).waitFor();
  assert.deepEqual(await page.locator('.prose li input[type="checkbox"]').evaluateAll((all) => all.map(({ checked }) => checked)), [true, false]);
  // A picture inside of an address: the bytes go to the server, the text gets their address.
  const dot = await page.evaluate(() => Object.assign(document.createElement("canvas"), { width: 2, height: 2 }).toDataURL());
  await give({ html: `<p>a dot <img src="${dot}" alt="dot"></p>` });
  const shown = bo.page.locator(".prose img[alt=dot]");
  await shown.waitFor();
  await until("Bo sees it", () => shown.evaluate(({ complete, naturalWidth }) => complete && naturalWidth === 2));
  const json = JSON.stringify(await api(server, "GET", "/pastes/json"));
  assert.ok(json.includes("/attachments/") && !json.includes("base64"), json.slice(0, 400));
  // A picture of another document is taken along, and outlives that one.
  await api(server, "PUT", "/another", undefined).catch(() => undefined);
  const lent = await fetch(`${server.url}/api/v1/documents/another/attachments`, { method: "POST", body: PICTURE, headers: { "content-type": "image/png" } });
  if (!lent.ok) throw new Error(`the other document's picture: ${lent.status}`);
  await give({ html: `<p>borrowed <img src="${(await lent.json()).url}" alt="loom"></p>` });
  const taken = bo.page.locator(".prose img[alt=loom]");
  await until("it is this document's", async () => (await taken.count()) === 1 && (await taken.getAttribute("src")).startsWith("/api/v1/documents/pastes/attachments/"));
  await until("Bo sees it, too", () => taken.evaluate(({ complete, naturalWidth }) => complete && naturalWidth === 192));
  await give({ picture: "no picture at all" });
  await said("This file is not an image");
  await status(ann, "saved");
  await page.keyboard.press("Control+s");
  await until("it is said how it stands", async () => (await page.getByTestId("live-region").textContent()).startsWith("Saved"));
});

test("a picture whose place a colleague deleted, or that arrives when its page was left, is offered to who put it in", async () => {
  const [ann, bo] = await annAndBo("placeless");
  // No store to keep it in, so that it is in hand as long as the server takes.
  await ann.page.evaluate(() => void (indexedDB.open = () => { throw new Error("no store"); }));
  const held = [];
  await ann.page.route("**/attachments", (route) => new Promise((resolve) => held.push(() => resolve(route.continue()))));
  const offer = ann.page.locator(".toast", { hasText: "A picture was not put in" });
  const answered = async () => {
    const [download] = await Promise.all([ann.page.waitForEvent("download"), offer.getByRole("button", { name: "Save the picture" }).click()]);
    assert.ok((await readFile(await download.path())).equals(PICTURE));
    await offer.waitFor({ state: "detached" });
  };
  await write(ann, "Before ");
  await words(bo, "Before").waitFor();
  await paste(ann, PICTURE.toString("base64"));
  await ann.page.locator(".image-place").waitFor();
  await text(bo).click();
  await bo.page.keyboard.press("Control+a");
  await bo.page.keyboard.press("Delete");
  await ann.page.locator(".image-place").waitFor({ state: "detached" });
  await until("it is on its way", () => held.length === 1);
  held[0]();
  await answered();
  await paste(ann, PICTURE.toString("base64"));
  await until("it is on its way", () => held.length === 2);
  await ann.page.getByRole("link", { name: "All documents" }).click();
  await ann.page.locator(".prose").waitFor({ state: "detached" });
  held[1]();
  await answered();
});

test("a server that stores no images says so in words, and nothing is left behind", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  await openDocument(ann, "no pictures");
  await ann.page.route("**/attachments", (route) => route.fulfill({ status: 404, json: { error: { code: "not_found", message: "there is nothing here" } } }));
  await write(ann, "Before ");
  await paste(ann, PICTURE.toString("base64"));
  await ann.page.getByText("This server cannot store images").first().waitFor();
  assert.equal(await ann.page.locator(".prose img:not(.ProseMirror-separator), .image-place").count(), 0);
  assert.equal(await reading(ann), "<p>Before </p>");
});

test("out as Markdown and back in: the same text", async () => {
  const ann = await browser.person(server);
  await openDocument(ann, "round trip");
  await title(ann).fill("The workshop");
  await write(ann, "## What to bring\nwool and **patience**\n- one\ntwo\n\n[] to do\n\n> quoted\n\n");
  await ann.page.keyboard.type("```js const x = 1;");
  const before = await reading(ann);
  await ann.page.getByRole("button", { name: "Document menu" }).click();
  const [download] = await Promise.all([ann.page.waitForEvent("download"), ann.page.getByRole("menuitem", { name: "Export as Markdown" }).click()]);
  assert.equal(download.suggestedFilename(), "The workshop.md");
  const markdown = await readFile(await download.path(), "utf8");
  assert.match(markdown, /^# The workshop\n\n## What to bring\n\nwool and \*\*patience\*\*/);

  await openHome(ann);
  const [chooser] = await Promise.all([ann.page.waitForEvent("filechooser"), ann.page.getByRole("button", { name: "Import" }).click()]);
  await chooser.setFiles({ name: "anything.md", mimeType: "text/markdown", buffer: Buffer.from(markdown) });
  await status(ann, "saved");
  await until("the title came along", async () => (await title(ann).inputValue()) === "The workshop");
  const bare = (html) => html.replaceAll(/<span class="hljs[^>]*>|<\/span>|<p><\/p>/g, "");
  await until(async () => `${bare(await reading(ann))}\n${bare(before)}`, async () => bare(await reading(ann)) === bare(before));

  for (const [item, ending, begins] of [["Export as HTML", ".html", "<!doctype html>"], ["Export as JSON", ".json", "{"]]) {
    await ann.page.getByRole("button", { name: "Document menu" }).click();
    const [file] = await Promise.all([ann.page.waitForEvent("download"), ann.page.getByRole("menuitem", { name: item }).click()]);
    assert.ok(file.suggestedFilename().endsWith(ending));
    assert.ok((await readFile(await file.path(), "utf8")).startsWith(begins));
  }
});

test("an imported page is cleaned, and a file that is no text is refused in words", async () => {
  const ann = await browser.person(server);
  await openHome(ann);
  const give = async (name, body) => {
    const [chooser] = await Promise.all([ann.page.waitForEvent("filechooser"), ann.page.getByRole("button", { name: "Import" }).click()]);
    await chooser.setFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(body) });
  };
  await give("x.html", [0xff, 0xd8, 0xff, 0xe0]);
  await ann.page.getByText(/was not imported: it is not text/).first().waitFor();
  await give("notes.md", `# Notes\n\nA picture: ![loom][image1]\n\n[image1]: <data:image/png;base64,${PICTURE.toString("base64")}>\n`);
  await until("the picture of the file is drawn", () => ann.page.evaluate(() => [...document.querySelectorAll(".prose img")].some(({ naturalWidth, src }) => naturalWidth === 192 && src.startsWith("http"))));
  const imported = decodeURIComponent(new URL(ann.page.url()).pathname.slice("/d/".length));
  assert.equal((await api(server, "GET", `/${imported}/attachments`)).attachments.length, 1);
  assert.ok(!JSON.stringify(await api(server, "GET", `/${imported}/json`)).includes("base64"));
  await openHome(ann);
  await give("page.html", '<h1>Page</h1><p>words</p><img src="https://elsewhere.example/x.png" alt="a picture"><script>document.title = "run"</script><img src=x onerror="document.title=1">');
  await status(ann, "saved");
  await words(ann, "words").waitFor();
  assert.equal(await title(ann).inputValue(), "Page");
  await ann.page.locator(".prose a.picture-away", { hasText: "a picture" }).waitFor();
  assert.equal(await ann.page.locator(".prose img:not(.ProseMirror-separator)").count(), 0);
  await screenshot(ann, "imported-light");
  // The browser names the handler it would not run even while the page is only being parsed, before it is cleaned.
  ann.troubles.splice(0, Infinity, ...ann.troubles.filter((trouble) => !/inline event handler|script-src-attr/.test(trouble)));
});

test("by keyboard: F6 goes round the page, who is here is said, and Escape then Tab leaves a list", async () => {
  const [ann, bo] = await annAndBo("keyboard");
  const { page } = ann;
  const place = () => page.evaluate(() => ["header.bar", ".tools-place", ".prose", "aside"].find((region) => document.activeElement?.closest(region)) ?? document.activeElement?.tagName);
  await menu(ann, "Outline");
  await page.getByRole("complementary", { name: "Outline" }).waitFor();
  await text(ann).focus();
  const round = [];
  for (let step = 0; step < 4; step++) {
    await page.keyboard.press("F6");
    round.push(await place());
  }
  assert.deepEqual(new Set(round), new Set(["header.bar", ".tools-place", ".prose", "aside"]), round.join(" "));
  assert.equal(round.at(-1), ".prose");
  await page.keyboard.press("Shift+F6");
  assert.equal(await place(), round[2]);

  await bo.page.getByRole("button", { name: /where Ann Lee/ }).waitFor();
  await ann.page.getByRole("button", { name: /where Bo/ }).waitFor();
  await page.keyboard.press("Control+Alt+p");
  await page.getByTestId("live-region").getByText("Here with you: Bo").waitFor();

  await write(ann, "- one");
  await page.keyboard.press("Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Tab");
  await page.locator(".prose li li", { hasText: "two" }).waitFor();
  assert.equal(await place(), ".prose");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.notEqual(await place(), ".prose");
});

test("paper gets the text and nothing else", async () => {
  const ann = await browser.person(server, { theme: "dark" });
  await openDocument(ann, "paper");
  await title(ann).fill("On paper");
  await write(ann, "words for paper");
  await ann.page.emulateMedia({ media: "print" });
  for (const hidden of [".bar", ".tools-place", ".word-count"]) {
    for (const element of await ann.page.locator(hidden).all()) assert.ok(!(await element.isVisible()), `${hidden} is printed`);
  }
  await screenshot(ann, "print");
  assert.equal(await ann.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
});
