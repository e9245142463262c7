// What works on every page: the palette, the keys, the settings, stars, and the one question a guest is asked.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, api, fitsSideways, openDocument, openHome, screenshot, startBrowser, startServer, status, stored, text, title, until, words, write } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  for (const name of ["Menu for Saturday", "Notes for the winter issue"]) await api(server, "POST", "", { title: name });
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const row = ({ page }, name) => page.getByRole("listitem").filter({ hasText: name });

for (const theme of ["light", "dark"]) {
  test(`the palette finds documents and commands, ${theme}`, async () => {
    const ann = await browser.person(server, { theme });
    const { page } = ann;
    await openHome(ann);
    await page.keyboard.press("Control+k");
    const palette = page.getByRole("dialog", { name: "Command palette" });
    await palette.getByRole("option", { name: "Menu for Saturday" }).waitFor();
    await accessible(ann, "the palette");
    await screenshot(ann, `palette-${theme}`);
    await page.keyboard.type("winter");
    await until("one is left", async () => (await palette.getByRole("option").count()) === 1);
    await page.keyboard.press("Enter");
    await status(ann, "saved");
    assert.equal(await title(ann).inputValue(), "Notes for the winter issue");

    await write(ann, "words");
    await page.keyboard.press("Control+k");
    await palette.getByRole("option", { name: "Outline" }).waitFor();
    await page.keyboard.type("zzzz");
    await palette.getByText("Nothing fits these letters").waitFor();
    await page.keyboard.press("Escape");
    await palette.waitFor({ state: "detached" });
    await until("the focus is back in the text", () => text(ann).evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Control+k");
    await page.keyboard.type("settings");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Settings", level: 1 }).waitFor();
  });

  test(`the keys are listed, ${theme}`, async () => {
    const ann = await browser.person(server, { theme });
    await openHome(ann);
    await ann.page.keyboard.press("?");
    const help = ann.page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await help.waitFor();
    await accessible(ann, "the sheet of keys");
    await screenshot(ann, `help-${theme}`);
    await ann.page.keyboard.press("Escape");
    await help.waitFor({ state: "detached" });
    await openDocument(ann, "keys");
    await write(ann, "really?");
    await words(ann, "really?").waitFor();
    assert.equal(await help.count(), 0);
  });

  test(`a guest is asked for a name once, ${theme}`, async () => {
    const ann = await browser.person(server, { theme });
    await ann.context.addInitScript(() => {
      if (!sessionStorage.getItem("asked")) localStorage.removeItem("weft.settings");
      sessionStorage.setItem("asked", "yes");
    });
    await openHome(ann);
    await openDocument(ann, "guests");
    const question = ann.page.getByRole("form", { name: "How should others call you?" });
    const field = question.getByRole("textbox");
    await field.waitFor();
    // It stands in nobody's way: what is there can be read and written at once.
    assert.equal(await ann.page.getByRole("dialog").count(), 0);
    assert.ok(await field.evaluate((element) => element !== document.activeElement));
    const above = await question.boundingBox();
    assert.ok(above.y + above.height <= (await ann.page.locator(".tools").first().boundingBox()).y);
    await write(ann, "Words before a name. ");
    await accessible(ann, "the question for a name");
    await screenshot(ann, `name-strip-${theme}`);
    // It can wait, until the next visit.
    await question.getByRole("button", { name: "Later" }).click();
    await question.waitFor({ state: "detached" });
    await ann.page.keyboard.type("And after. ");
    await words(ann, "Words before a name. And after.").waitFor();
    await ann.page.reload();
    await status(ann, "saved");
    assert.notEqual(await field.inputValue(), "");
    await field.fill("Mei");
    await field.press("Enter");
    await question.waitFor({ state: "detached" });
    const bo = await browser.person(server, { name: "Bo", theme });
    await openDocument(bo, "guests");
    await bo.page.getByRole("button", { name: /where Mei is writing/ }).waitFor();
    await ann.page.reload();
    await status(ann, "saved");
    assert.equal(await question.count(), 0);
  });

  test(`settings are kept and take effect, ${theme}`, async () => {
    const ann = await browser.person(server, { theme });
    const { page } = ann;
    await openDocument(ann, "on this device");
    await title(ann).fill("On this device");
    await write(ann, "words");
    await stored(ann);
    await openHome(ann);
    await page.getByRole("button", { name: /^You and this page/ }).click();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("heading", { name: "Settings", level: 1 }).waitFor();
    await page.getByRole("list", { name: "Documents on this device" }).getByText(/kB/).waitFor();
    await accessible(ann, "the settings");
    await screenshot(ann, `settings-${theme}`);
    await page.getByText("Always", { exact: true }).click();
    await page.getByRole("checkbox", { name: /Reduce motion/ }).check();
    await page.reload();
    assert.ok(await page.getByRole("checkbox", { name: /Reduce motion/ }).isChecked());
    assert.equal(await page.locator("html").getAttribute("data-carets"), "always");

    await page.getByRole("button", { name: "Remove On this device" }).click();
    await page.getByText("No document has been opened here yet.").waitFor();
    const left = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
    assert.deepEqual(left.filter((name) => name.includes("on this device")), []);
    await openDocument(ann, "on this device");
    await words(ann, "words").waitFor();
  });
}

test("a copy with changes the server does not have is removed only after a question", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  await openDocument(ann, "unsent");
  await title(ann).fill("Unsent");
  await ann.page.routeWebSocket(/\/hocuspocus/, (socket) => setTimeout(() => socket.close({ code: 1011 }), 50));
  // What waits is sent from every page, and needs no socket.
  await ann.page.route("**/api/v1/documents/*/updates", (route) => route.abort());
  await ann.page.reload();
  await status(ann, "offline");
  await write(ann, "never sent");
  await ann.page.getByText(/changes kept on this device/).waitFor();
  await ann.page.getByRole("link", { name: "All documents" }).first().click();
  await ann.page.getByRole("heading", { level: 1 }).waitFor();
  await ann.page.goto(`${server.url}/settings`);
  await ann.page.getByText(/changes kept on this device/).waitFor();
  await ann.page.getByRole("button", { name: "Remove Unsent" }).click();
  await ann.page.getByRole("alertdialog", { name: "Remove the copy of “Unsent”?" }).waitFor();
  await ann.page.getByRole("button", { name: "Cancel" }).click();
  await ann.page.getByRole("link", { name: "Unsent" }).waitFor();
});

test("stars are this device's, and the starred documents have a shelf of their own", async () => {
  const ann = await browser.person(server);
  await openHome(ann, "/starred");
  await ann.page.getByRole("heading", { name: "Nothing starred yet" }).waitFor();
  await screenshot(ann, "starred-empty-light");
  await ann.page.getByRole("link", { name: "Recent" }).click();
  await row(ann, "Menu for Saturday").getByRole("button", { name: /More for/ }).click();
  await ann.page.getByRole("menuitem", { name: "Star", exact: true }).click();
  await row(ann, "Menu for Saturday").getByRole("img", { name: "Starred" }).waitFor();
  await ann.page.getByRole("link", { name: "Starred", exact: true }).click();
  await row(ann, "Menu for Saturday").waitFor();
  assert.equal(await ann.page.locator(".row").count(), 1);
  await accessible(ann, "the starred documents");
  await screenshot(ann, "starred-light");
  await ann.page.getByRole("link", { name: /Menu for Saturday/ }).click();
  await status(ann, "saved");
  await ann.page.getByRole("button", { name: "Document menu" }).click();
  await ann.page.getByRole("menuitem", { name: "Remove star" }).click();
  await openHome(ann, "/starred");
  await ann.page.getByRole("heading", { name: "Nothing starred yet" }).waitFor();
});

test("on phones the layers and the settings fit", async () => {
  for (const width of [390, 320]) {
    const ann = await browser.person(server, { size: [width, 640] });
    await openHome(ann, "/settings");
    await fitsSideways(ann, "settings");
    await screenshot(ann, `settings-${width}`);
    await ann.page.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await ann.page.getByRole("dialog").waitFor();
    await screenshot(ann, `help-${width}`);
    await ann.page.keyboard.press("Escape");
    await ann.page.keyboard.press("Control+k");
    await ann.page.getByRole("dialog").waitFor();
    await fitsSideways(ann, "the palette");
    await screenshot(ann, `palette-${width}`);
  }
});

test("a browser without a worker has what somebody may reach for when the server is gone", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  const { page } = ann;
  await openDocument(ann, "reached for");
  await write(ann, "still here");
  await stored(ann);
  await until("the rest was fetched", () =>
    page.evaluate(() => {
      const here = performance.getEntriesByType("resource").filter(({ responseEnd }) => responseEnd > 0).map(({ name }) => name);
      return ["palette", "help", "you-popover", "find-bar", "home", "menu"].every((part) => here.some((name) => name.includes(`/assets/${part}-`)));
    }),
  );
  await server.kill();
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Command palette" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^You and this page/ }).click();
  await page.getByRole("dialog", { name: "How others see you" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+f");
  await page.getByRole("search", { name: "Find" }).getByRole("textbox", { name: "Find" }).waitFor();
  await page.getByRole("link", { name: "All documents" }).first().click();
  await page.getByRole("alert").getByText("The server does not answer").waitFor();
  await page.getByRole("list", { name: "On this device" }).or(page.getByRole("list", { name: "Documents, newest first" })).first().waitFor();
  await server.start();
});

test("a part that cannot be fetched says why, and leaves the page as it is", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  const { page } = ann;
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await page.route("**/assets/palette-*.js", (route) => route.abort());
  await openDocument(ann, "parts");
  await write(ann, "still here");
  await stored(ann);
  await server.kill();
  await page.keyboard.press("Control+k");
  await page.locator(".toast").getByText("this part of the app is not on this device yet").waitFor();
  await words(ann, "still here").waitFor();
  assert.equal(await page.getByText("older than the server").count(), 0);
  await server.start();
  await page.unroute("**/assets/palette-*.js");
  await page.keyboard.press("Control+k");
  await palette.waitFor();
  await page.keyboard.press("Escape");
  await palette.waitFor({ state: "detached" });

  // A tab from before an upgrade: its files are gone, and the server hands out another page.
  await page.reload();
  await page.route("**/assets/palette-*.js", (route) => route.fulfill({ status: 404 }));
  await page.route("**/?now", (route) => route.fulfill({ contentType: "text/html", body: '<script type="module" src="/assets/index-newer.js"></script>' }));
  await page.reload();
  await status(ann, "saved");
  await page.keyboard.press("Control+k");
  await page.getByText("This page is older than the server").waitFor();
  await words(ann, "still here").waitFor();
});

test("the palette finds the oldest document too, by words and not by letters that happen to be in order", async () => {
  await api(server, "POST", "", { title: "Older than all the others" });
  for (let number = 1; number <= 55; number++) await api(server, "POST", "", { title: `Broad plan number ${number}` });
  const ann = await browser.person(server);
  const { page } = ann;
  await openHome(ann, "/settings");
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await palette.waitFor();
  await page.keyboard.type("older than");
  await palette.getByRole("option", { name: "Older than all the others" }).waitFor();
  await page.getByRole("combobox").fill("bad");
  await until("no plan is bad", async () => (await palette.getByRole("option", { name: /Broad plan/ }).count()) === 0);
});
