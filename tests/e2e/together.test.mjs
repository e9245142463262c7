// Two people in one document.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openDocument, openHome, reading, sameText, screenshot, select, startBrowser, startServer, status, text, title, twoIn, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const annAndBo = async () => [
  await browser.person(server, { name: "Ann Lee", colour: "#0e7490" }),
  await browser.person(server, { name: "Bo", colour: "#cf2f74" }),
];

test("a new document, a title, and two people writing in it", async () => {
  const [ann, bo] = await annAndBo();
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New text" }).first().click();
  await status(ann, "saved");
  await title(ann).fill("The weaving workshop");
  await title(ann).press("Enter");
  await ann.page.keyboard.type("Ann begins.");

  await bo.page.goto(ann.page.url());
  await words(bo, "Ann begins.").waitFor();
  assert.equal(await title(bo).inputValue(), "The weaving workshop");
  assert.equal(await bo.page.title(), "The weaving workshop · Weft");
  await write(bo, " Bo goes on.");
  await words(ann, "Ann begins. Bo goes on.").waitFor();

  // At the same time, in different places and in the same one.
  await Promise.all([write(ann, " One two three four five."), write(bo, " Six seven eight nine ten.")]);
  const both = await sameText(ann, bo);
  for (const letter of ["Ann begins. Bo goes on.", "five", "ten"]) assert.ok(both.includes(letter.at(-1)), both);
  await title(bo).fill("The weaving workshop, renamed");
  await until("Ann sees the new title", async () => (await title(ann).inputValue()) === "The weaving workshop, renamed");
});

test("carets carry names and colours, fade, and come back with the next key", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "carets");
  await write(ann, "Where are you?");
  await openDocument(bo, "carets");
  await write(bo, " Here.");

  const caret = ann.page.locator(".caret");
  const label = caret.locator(".caret-name");
  await caret.waitFor();
  assert.equal(await label.getAttribute("data-name"), "Bo");
  assert.equal(await caret.evaluate((element) => getComputedStyle(element).borderInlineStartColor), "rgb(207, 47, 116)");
  assert.equal(await caret.evaluate((element) => getComputedStyle(element).borderInlineStartWidth), "2px");
  const opacity = () => label.evaluate((element) => Number(getComputedStyle(element).opacity));
  await until("the name is shown", async () => (await opacity()) === 1);
  await screenshot(ann, "carets-light");
  await until("the name has faded", async () => (await opacity()) === 0);
  await bo.page.keyboard.type("!");
  await until("the name is back", async () => (await opacity()) === 1);

  await bo.page.keyboard.press("Shift+Home");
  await ann.page.locator(".caret-selection").first().waitFor();

  await ann.page.getByRole("list", { name: "People here" }).getByRole("button", { name: /Bo/ }).waitFor();
  await bo.page.getByRole("button", { name: /^You and this page/ }).click();
  await bo.page.getByRole("textbox", { name: "Name" }).fill("Bodil");
  await bo.page.keyboard.press("Enter");
  await ann.page.getByRole("button", { name: /where Bodil is writing/ }).waitFor();

  await bo.page.close();
  await until("Bo's avatar is gone", async () => (await ann.page.getByRole("list", { name: "People here" }).count()) === 0);
  assert.equal(await caret.count(), 0);
});

test("undo takes back one's own words and leaves a colleague's", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "undo");
  await openDocument(bo, "undo");
  await write(ann, "# A heading ");
  await bo.page.locator(".prose h2").waitFor();
  await bo.page.locator(".prose h2").click();
  await bo.page.keyboard.press("End");
  await bo.page.keyboard.type("with Bo's words");
  await words(ann, "with Bo's words").waitFor();

  await text(ann).focus();
  const undo = ann.page.getByRole("button", { name: "Undo" });
  for (let step = 0; step < 6 && (await undo.isEnabled()); step++) await undo.click();
  await words(ann, "with Bo's words").waitFor();
  const left = await sameText(ann, bo);
  assert.ok(left.includes("with Bo's words"), left);
  assert.ok(!left.includes("A heading"), left);
});

test("every kind of block arrives at the other side", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "blocks");
  await openDocument(bo, "blocks");
  const { keyboard } = ann.page;
  const tool = (name) => ann.page.getByRole("toolbar", { name: "Formatting" }).getByRole("button", { name, exact: true });

  await text(ann).focus();
  await keyboard.type("## Second level\nplain ");
  await tool("Bold").click();
  await keyboard.type("bold");
  await tool("Bold").click();
  await keyboard.type(" and https://example.org/x after\n- first\nsecond\n\n1. one\n\n[] to do\nand more\n\n> quoted\n\n");
  await keyboard.type("``` let x = 1;");
  await keyboard.press("ArrowDown");
  await tool("Divider").click();
  await tool("Table").click();
  await keyboard.type("cell");
  await ann.page.getByRole("toolbar", { name: "Table" }).getByRole("button", { name: "Row", exact: true }).click();
  await ann.page.getByRole("menuitem", { name: "Row below" }).click();
  assert.equal(await ann.page.locator(".prose tr").count(), 4);
  await ann.page.getByRole("checkbox").first().click();

  const both = await sameText(ann, bo);
  for (const part of ["<h3", "<strong>bold</strong>", 'href="https://example.org/x"', "<ul", "<ol", 'data-checked="true"', "<blockquote>", "<pre>", "<hr", "<th", "cell"]) {
    assert.ok(both.includes(part), `${part} in ${both}`);
  }
  await bo.page.getByRole("checkbox").nth(1).click();
  await until("Ann sees Bo's tick", async () => (await ann.page.getByRole("checkbox", { checked: true }).count()) === 2);
  await screenshot(ann, "blocks-light");
});

test("links are made, followed by address, and taken away", async () => {
  const [ann] = await annAndBo();
  await openDocument(ann, "links");
  await write(ann, "the looms");
  await select(ann, "Shift+Home");
  await ann.page.keyboard.press("Control+k");
  const address = ann.page.getByRole("textbox", { name: "Address" });
  await address.fill("javascript:alert(1)");
  await address.press("Enter");
  await ann.page.getByRole("alert").waitFor();
  await address.fill("example.org/looms");
  await screenshot(ann, "link-light");
  await address.press("Enter");
  await ann.page.locator('.prose a[href="https://example.org/looms"]', { hasText: "the looms" }).waitFor();
  await ann.page.keyboard.press("Control+k");
  await ann.page.getByRole("button", { name: "Remove" }).click();
  await until("the link is gone", async () => (await ann.page.locator(".prose a").count()) === 0);
  assert.ok((await reading(ann)).includes("the looms"));
});

test("documents of any name", async () => {
  const [ann, bo] = await annAndBo();
  for (const name of ["a/b", "what? #now 100%", "文件 ✍️"]) {
    await openDocument(ann, name);
    await write(ann, `this is ${name}`);
    await openDocument(bo, name);
    await words(bo, `this is ${name}`).waitFor();
  }
  await ann.page.goto(`${server.url}/d/a/b`);
  await words(ann, "this is a/b").waitFor();
});

test("the words are counted", async () => {
  const [ann] = await annAndBo();
  await openDocument(ann, "counted");
  await write(ann, "one two three");
  await ann.page.getByText("3 words").waitFor();
});

test("one follows another through the text, until one moves oneself", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "followed");
  await openDocument(bo, "followed");
  await write(ann, `The beginning.\n${"A line.\n".repeat(60)}`);
  await ann.page.keyboard.type("The end.");
  await words(bo, "The end.").waitFor();
  await bo.page.evaluate(() => scrollTo(0, 0));
  await bo.page.getByRole("button", { name: "Document menu" }).click();
  await bo.page.getByRole("menuitem", { name: "Follow Ann Lee" }).click();
  await bo.page.getByText("Following Ann Lee").waitFor();
  const inSight = (content) => words(bo, content).evaluate((element) => element.getBoundingClientRect().bottom > 0 && element.getBoundingClientRect().top < innerHeight);
  await until("the end is in sight", () => inSight("The end."));
  await screenshot(bo, "following-light");
  await ann.page.keyboard.press("Control+Home");
  await until("the beginning is in sight", () => inSight("The beginning."));
  await bo.page.mouse.wheel(0, 50);
  await until("Bo goes on alone", async () => (await bo.page.getByText("Following Ann Lee").count()) === 0);
});

/** Ann composes where her caret is, as an input method does. */
const method = async (ann) => {
  const session = await ann.context.newCDPSession(ann.page);
  return {
    compose: (text) => session.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length }),
    commit: (text) => session.send("Input.insertText", { text }),
  };
};
const readsLine = (person, line) => until(async () => `${person.name} reads ${line}: ${await reading(person)}`, async () => (await reading(person)) === `<p>${line}</p>`);

test("a composition goes on while another writes in the same line: what they write is shown when the word is done", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "composed");
  await openDocument(bo, "composed");
  await write(ann, "開始 . 結束");
  await readsLine(bo, "開始 . 結束");
  for (let step = 0; step < 4; step++) await select(ann, "ArrowLeft");
  const { compose, commit } = await method(ann);
  await compose("ㄋ");
  await readsLine(bo, "開始 ㄋ. 結束");
  await write(bo, "!");
  await compose("ㄋㄧ");
  await readsLine(bo, "開始 ㄋㄧ. 結束!");
  await readsLine(ann, "開始 ㄋㄧ. 結束");
  await select(bo, "Home");
  await bo.page.keyboard.type("Bo: ");
  await readsLine(bo, "Bo: 開始 ㄋㄧ. 結束!");
  await compose("你");
  await readsLine(bo, "Bo: 開始 你. 結束!");
  await commit("你好");
  await readsLine(ann, "Bo: 開始 你好. 結束!");
  await readsLine(bo, "Bo: 開始 你好. 結束!");
  // The caret is where it was, behind the word.
  await ann.page.keyboard.type("，");
  await readsLine(bo, "Bo: 開始 你好，. 結束!");
});

test("twenty compositions, while another writes before, inside and behind them: every word whole, every letter once", async () => {
  const [ann, bo] = await annAndBo();
  await openDocument(ann, "often");
  await openDocument(bo, "often");
  const seed = Number(process.env.SEED ?? Date.now() % 100_000);
  let state = seed;
  const random = (below) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  await write(ann, "開始結束");
  await readsLine(bo, "開始結束");
  await select(ann, "ArrowLeft");
  await select(ann, "ArrowLeft");
  await text(bo).focus();
  const { compose, commit } = await method(ann);
  let typed = "";
  const meddle = async () => {
    await select(bo, ["Home", "End"][random(2)]);
    for (let step = random(6); step > 0; step--) await select(bo, ["ArrowLeft", "ArrowRight"][random(2)]);
    const letter = String.fromCharCode(97 + (typed.length % 26));
    typed += letter;
    await bo.page.keyboard.type(letter);
  };
  for (let round = 0; round < 20; round++) {
    let done = false;
    const writing = (async () => {
      while (!done) await meddle();
    })();
    for (const step of ["ㄋ", "ㄋㄧ", "你", "你ㄏ", "你ㄏㄠ", "你好"]) {
      await compose(step);
      // As fast as hands are: what Bo writes meanwhile arrives within the composition.
      await ann.page.waitForTimeout(60);
    }
    await commit("你好");
    done = true;
    await writing;
    const both = await sameText(ann, bo);
    const letters = both.replaceAll(/<[^>]*>/g, "");
    // Bo's caret may have stood inside of a word that was done.
    const own = letters.replaceAll(/[a-z]/g, "");
    assert.equal(own, `開始${"你好".repeat(round + 1)}結束`, `seed ${seed}, round ${round}: ${letters}`);
    assert.equal(letters.replaceAll(/[^a-z]/g, "").length, typed.length, `seed ${seed}, round ${round}: ${letters}`);
  }
});

test("a title written by two at once keeps every letter, and the caret and a composition of either stay where they are", async () => {
  const [ann, bo] = await twoIn(browser, server, "a title of two");
  await title(ann).fill("Hello");
  await until("Bo reads it", async () => (await title(bo).inputValue()) === "Hello");
  await title(ann).press("Home");
  await title(ann).press("ArrowRight");
  await title(bo).press("End");
  await bo.page.keyboard.type("!");
  await until("Ann reads it", async () => (await title(ann).inputValue()) === "Hello!");
  await ann.page.keyboard.type("_");
  assert.equal(await title(ann).inputValue(), "H_ello!");
  await Promise.all([ann.page.keyboard.type("aaaaaaaaaa"), bo.page.keyboard.type("zzzzzzzzzz")]);
  for (const person of [ann, bo]) await until(`${person.name} reads all`, async () => (await title(person).inputValue()) === "H_aaaaaaaaaaello!zzzzzzzzzz");

  const composer = await ann.context.newCDPSession(ann.page);
  await composer.send("Input.imeSetComposition", { text: "ㄅㄟ", selectionStart: 2, selectionEnd: 2 });
  await bo.page.keyboard.type("?");
  await status(bo, "saved");
  assert.equal(await title(bo).inputValue(), "H_aaaaaaaaaaello!zzzzzzzzzz?");
  await composer.send("Input.insertText", { text: "北" });
  for (const person of [ann, bo]) await until(`${person.name} reads the word`, async () => (await title(person).inputValue()) === "H_aaaaaaaaaa北ello!zzzzzzzzzz?");
});
