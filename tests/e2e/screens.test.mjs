// Every screen in both themes, both languages and on phones: nothing axe finds, nothing that scrolls sideways, nothing
// heavier than promised, and pictures of all of it.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Doc, encodeStateAsUpdate } from "yjs";
import { accessible, api, fitsSideways, openDocument, openHome, screenshot, startBrowser, startServer, status, text, title, until, words, write, makeBoard } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  for (const name of ["Notes for the winter issue", "Plan: moving the archive to the new house by the river", "Menu for Saturday"]) {
    await api(server, "POST", "", { title: name });
  }
  await api(server, "POST", "", { name: "binned", title: "Old plans" });
  await api(server, "DELETE", "/binned");
  const plain = new Doc();
  plain.getMap("meta").set("kind", "plain");
  plain.getMap("meta").set("title", "plainly.py");
  plain.getText("content").insert(0, 'def warp(n: int) -> str:\n    """Threads."""\n    return "|" * n  # up and down\n');
  const answer = await fetch(`${server.url}/api/v1/documents/plainly/updates`, { method: "POST", body: encodeStateAsUpdate(plain) });
  assert.ok(answer.ok, `${answer.status}`);
  const author = await browser.person(server, { name: "Author" });
  await openDocument(author, "shown");
  await title(author).fill("The weaving workshop");
  await write(author, "We meet in the old mill on Saturday at ten. Bring wool, patience and something to eat; the kettle is ours. Read https://example.org/a-rather-long-address/of-the-looms before you come.\n");
  await author.page.keyboard.type("# What to bring\n- Two skeins of undyed wool\nA comb\n\n[] Book the room\nAsk Mei\n\n> A cloth is a conversation between threads.\n\n``` warp 12 weft 24");
  await author.page.keyboard.press("ArrowDown");
  await author.page.getByRole("button", { name: "Table", exact: true }).click();
  for (const cell of ["Yarn", "Metres", "Colour", "Linen", "120", "Flax"]) {
    await author.page.keyboard.type(cell);
    await author.page.keyboard.press("Tab");
  }
  await words(author, "Flax").waitFor();
  await makeBoard(server, "drawn");
  await makeBoard(server, "never drawn on");
  await author.page.goto(`${server.url}/d/drawn`);
  await author.page.locator(".board-hint").waitFor();
  await title(author).fill("Where the looms stand");
  await author.page.keyboard.press("Enter");
  for (const [key, from, to] of [["r", [330, 260], [480, 350]], ["o", [330, 430], [480, 530]], ["a", [405, 360], [405, 424]], ["p", [560, 480], [700, 520]]]) {
    await author.page.keyboard.press(key);
    await author.page.mouse.move(...from);
    await author.page.mouse.down();
    await author.page.mouse.move(...to, { steps: 8 });
    await author.page.mouse.up();
  }
  await author.page.keyboard.press("n");
  await author.page.mouse.click(660, 340);
  await author.page.locator("textarea.excalidraw-wysiwyg").waitFor();
  await author.page.keyboard.type("Oil the treadles");
  await author.page.keyboard.press("Escape");
  await author.page.keyboard.press("Escape");
  await until("it is stored", async () => JSON.stringify(await api(server, "GET", "/drawn/json")).includes("Oil the treadles"));
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const SCREENS = {
  home: async (somebody) => {
    await openHome(somebody);
    await somebody.page.locator(".row").first().waitFor();
  },
  trash: async (somebody) => {
    await openHome(somebody, "/trash");
    await somebody.page.locator(".row-trash").first().waitFor();
  },
  starred: async (somebody) => {
    await openHome(somebody, "/starred");
    await somebody.page.locator(".panel").waitFor();
  },
  settings: async (somebody) => {
    await openHome(somebody, "/settings");
    await somebody.page.locator(".settings-note").waitFor();
  },
  plain: async (somebody) => {
    await openDocument(somebody, "plainly");
    await somebody.page.locator(".cm-line", { hasText: "warp" }).first().waitFor();
  },
  document: async (somebody) => {
    await openDocument(somebody, "shown");
    await words(somebody, "undyed wool").waitFor();
  },
  board: async (somebody) => {
    await somebody.page.goto(`${server.url}/d/drawn`);
    await status(somebody, "saved");
    await somebody.page.locator(".board .excalidraw canvas.interactive").waitFor();
    await somebody.page.locator(".board-hint").waitFor({ state: "detached" });
  },
  "empty-board": async (somebody) => {
    await somebody.page.goto(`${server.url}/d/never%20drawn%20on`);
    await somebody.page.locator(".board-hint").waitFor();
  },
  "new-document": async (somebody) => openDocument(somebody, "never written in"),
  gone: async (somebody) => {
    somebody.mayLoseNetwork = true;
    await somebody.page.goto(`${server.url}/d/binned`);
    await status(somebody, "gone");
    await somebody.page.locator(".panel").waitFor();
  },
  nowhere: async (somebody) => openHome(somebody, "/nowhere"),
};

for (const [screen, open] of Object.entries(SCREENS)) {
  for (const theme of ["light", "dark"]) {
    for (const language of ["en", "zh-TW"]) {
      test(`${screen}, ${theme}, ${language}: axe finds nothing`, async () => {
        const ann = await browser.person(server, { theme, language });
        await open(ann);
        assert.equal(await ann.page.locator("html").getAttribute("lang"), language === "en" ? "en" : "zh-Hant-TW");
        assert.equal(await ann.page.locator("h1").count(), 1);
        if (language !== "en") {
          const left = await ann.page.locator("body").evaluate((body) => {
            const own = body.cloneNode(true);
            for (const content of own.querySelectorAll(".prose, .cm-editor, .copies, .row-title, .title-field, .title-twin, h1.visually-hidden, .bar-title, .avatar, option, kbd, .brand, .excalidraw, .bar-title-twin, script, noscript, .row-actions .visually-hidden")) content.remove();
            return [...own.innerText.matchAll(/[A-Za-z]{3,}/g)].map(([word]) => word).filter((word) => word !== "Weft");
          });
          assert.deepEqual(left, [], "words left in English");
        }
        await accessible(ann, screen);
        await screenshot(ann, `${screen}-${theme}-${language}`);
      });
    }
    for (const width of [390, 320]) {
      test(`${screen}, ${theme}, ${width} px: nothing scrolls sideways`, async () => {
        const ann = await browser.person(server, { theme, size: [width, width === 320 ? 640 : 780] });
        await open(ann);
        await fitsSideways(ann, screen);
        await screenshot(ann, `${screen}-${theme}-${width}`);
        if (theme === "light") await accessible(ann, `${screen} at ${width}`);
      });
    }
  }
}

test("what opens above the page: axe finds nothing, and Escape gives the focus back", async () => {
  for (const theme of ["light", "dark"]) {
    const ann = await browser.person(server, { theme });
    await openDocument(ann, "shown");
    for (const [button, opened] of [
      [ann.page.getByRole("button", { name: /^You and this page/ }), ann.page.getByRole("dialog")],
      [ann.page.getByRole("button", { name: "Document menu" }), ann.page.getByRole("menu")],
    ]) {
      await button.click();
      await opened.waitFor();
      // A menu is drawn outside the landmarks, above the page; its button, which owns it, is in one.
      await accessible(ann, "an open layer", ["region"]);
      await screenshot(ann, `layer-${theme}-${await opened.getAttribute("role")}`);
      await ann.page.keyboard.press("Escape");
      await opened.waitFor({ state: "detached" });
      await until("its button has the focus again", () => button.evaluate((element) => element === document.activeElement));
    }
    await ann.page.locator(".prose td").first().click();
    await ann.page.getByRole("toolbar", { name: "Table", exact: true }).getByRole("button", { name: "Row", exact: true }).waitFor();
    await accessible(ann, "the table toolbar");
    await screenshot(ann, `table-tools-${theme}`);
    await openHome(ann, "/trash");
    await ann.page.getByRole("button", { name: /Delete for ever/ }).first().click();
    await ann.page.getByRole("alertdialog").waitFor();
    await accessible(ann, "the question before deleting");
  }
});

test("a board in use: what axe finds in Excalidraw's panels is known", async () => {
  const ann = await browser.person(server);
  await SCREENS.board(ann);
  const { keyboard } = ann.page;
  await keyboard.press("Control+a");
  await ann.page.getByRole("button", { name: "Undo" }).waitFor();
  await accessible(ann, "a board with a selection");
  await ann.page.getByRole("button", { name: "Outline" }).click();
  await ann.page.getByRole("complementary", { name: "Outline" }).getByRole("button", { name: "Note: Oil the treadles" }).waitFor();
  await accessible(ann, "the outline");
  await keyboard.press("Escape");
  await keyboard.press("?");
  await ann.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await screenshot(ann, "board-help-light");
  await accessible(ann, "the help of a board");
});

test("by keyboard alone: skip link, title, text, toolbar, and back", async () => {
  const ann = await browser.person(server);
  await openDocument(ann, "by keyboard");
  const { keyboard } = ann.page;
  await keyboard.press("Tab");
  const focused = () => ann.page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.getAttribute("aria-label"));
  assert.equal(await focused(), "Skip to content");
  await keyboard.press("Enter");
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), "content");
  await text(ann).waitFor();
  await title(ann).focus();
  await keyboard.type("Typed");
  await keyboard.press("Enter");
  await keyboard.type("text");
  await words(ann, "text").waitFor();
  assert.equal(await title(ann).inputValue(), "Typed");
  await keyboard.press("Alt+F10");
  assert.match(await focused(), /Text/);
  await keyboard.press("ArrowRight");
  await until("the next tool has the focus", async () => (await focused()) === "Bold");
  await keyboard.press("Enter");
  await keyboard.press("Escape");
  await until("the text has the focus", () => text(ann).evaluate((element) => element === document.activeElement));
  await keyboard.type(" bold");
  await ann.page.locator(".prose strong", { hasText: "bold" }).waitFor();
});

test("a title that is begun before its text is here is written to its end", async () => {
  const ann = await browser.person(server);
  await openDocument(ann, "a slow text");
  let bring;
  const brought = new Promise((resolve) => (bring = resolve));
  await ann.page.route(/\/assets\/view-[^/]*\.js$/, (route) => brought.then(() => route.continue()));
  await ann.page.reload();
  await ann.page.locator(".skeleton.opening").waitFor();
  await status(ann, "saved");
  const { keyboard } = ann.page;
  await title(ann).focus();
  await keyboard.type("Warp weft");
  await keyboard.press("Home");
  await keyboard.type("W");
  bring();
  await text(ann).waitFor();
  await keyboard.type("eave ");
  assert.equal(await title(ann).inputValue(), "Weave Warp weft");
  await keyboard.press("Enter");
  await keyboard.type("of linen");
  await words(ann, "of linen").waitFor();
});

test("theme and language are kept, and follow a change at once", async () => {
  const ann = await browser.person(server);
  await openHome(ann);
  const paper = () => ann.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  await ann.page.getByRole("button", { name: /^You and this page/ }).click();
  await ann.page.getByText("Dark", { exact: true }).click();
  const dark = await paper();
  assert.notEqual(light, dark);
  await ann.page.getByLabel("Language").selectOption("zh-Hant-TW");
  await ann.page.getByText("別人看到的您").waitFor();
  await ann.page.reload();
  await ann.page.getByRole("button", { name: "新增文件" }).first().waitFor();
  assert.equal(await paper(), dark);
});

test("first loads are as light as promised, and a second visit loads no script", async () => {
  const KIB = 1024;
  for (const [path, ready, script, all] of [
    ["/", ".row", 130, 180],
    ["/d/shown", ".prose p", 290, 350],
    ["/d/drawn", ".board .excalidraw canvas.interactive", 620, 750],
    ["/d/plainly", ".cm-line", 350, 410],
  ]) {
    const ann = await browser.person(server);
    const loads = () =>
      ann.page.evaluate(() => {
        const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(({ name }) => !name.includes("/api/"));
        const total = (of, field) => of.reduce((sum, entry) => sum + entry[field], 0);
        const scripts = entries.filter(({ name }) => name.endsWith(".js"));
        return { script: total(scripts, "encodedBodySize"), all: total(entries, "encodedBodySize"), fetched: total(scripts.filter(({ name }) => name.includes("/assets/")), "transferSize") };
      });
    await ann.page.goto(server.url + path);
    await ann.page.locator(ready).first().waitFor();
    const first = await loads();
    console.log(`${path}: ${(first.script / KIB).toFixed(0)} KiB of script, ${(first.all / KIB).toFixed(0)} KiB in all`);
    assert.ok(first.script > 50 * KIB && first.script <= script * KIB, `${path} loads ${first.script} bytes of script`);
    assert.ok(first.all <= all * KIB, `${path} loads ${first.all} bytes`);
    await ann.page.reload();
    await ann.page.locator(ready).first().waitFor();
    assert.equal((await loads()).fetched, 0, "hashed files come from the cache");
  }
});
