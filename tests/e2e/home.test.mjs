// The list of documents, the trash, and what both look like when there is nothing to show.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { api, makeBoard, openDocument, openHome, screenshot, startBrowser, startServer, status, title, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const row = ({ page }, name) => page.getByRole("listitem").filter({ hasText: name });

test("from an empty shelf to a document in the list", async () => {
  const ann = await browser.person(server);
  await openHome(ann);
  await ann.page.getByRole("heading", { name: "A blank loom" }).waitFor();
  await screenshot(ann, "home-empty-light");
  await ann.page.getByRole("main").getByRole("button", { name: "New text" }).last().click();
  await status(ann, "saved");
  await title(ann).fill("Notes for the winter issue");
  await title(ann).press("Enter");
  await ann.page.keyboard.type("words");
  const address = ann.page.url();

  const bo = await browser.person(server, { name: "Bo" });
  await openHome(bo);
  await until("the title is in the list", async () => {
    if (await row(bo, "Notes for the winter issue").count()) return true;
    await bo.page.reload();
    return false;
  });
  await row(bo, "Notes for the winter issue").getByText("1 person here").waitFor();
  assert.equal(await row(bo, "Notes for the winter issue").locator(".avatar").getAttribute("data-initials"), "A");
  await row(bo, "Notes for the winter issue").getByText(/Edited just now/).waitFor();
  await screenshot(bo, "home-light");
  await bo.page.getByRole("link", { name: /Notes for the winter issue/ }).click();
  await status(bo, "saved");
  assert.equal(bo.page.url(), address);
});

test("search, by mouse and by key", async () => {
  for (const name of ["Menu for Saturday", "Café accounts", "Plan"]) await api(server, "POST", "", { title: name });
  const ann = await browser.person(server);
  await openHome(ann);
  await row(ann, "Plan").waitFor();
  await ann.page.keyboard.press("/");
  await ann.page.keyboard.type("cafe");
  await row(ann, "Café accounts").waitFor();
  await until("the others are hidden", async () => (await row(ann, "Plan").count()) === 0);
  await ann.page.keyboard.type(" zzz");
  await ann.page.getByText("No title contains “cafe zzz”").waitFor();
  await ann.page.keyboard.press("Escape");
  await row(ann, "Plan").waitFor();
});

test("a long list comes in pages, newest first", async () => {
  for (let number = 1; number <= 60; number++) await api(server, "POST", "", { title: `Number ${number}` });
  const ann = await browser.person(server);
  await openHome(ann);
  await row(ann, "Number 60").waitFor();
  assert.equal(await row(ann, "Number 5").filter({ hasText: /Number 5\D/ }).count(), 0);
  await ann.page.getByRole("button", { name: "Show more" }).click();
  await row(ann, /Number 5\D/).waitFor();
  const seen = await ann.page.locator(".row-title").allTextContents();
  assert.equal(new Set(seen.filter((name) => name.startsWith("Number"))).size, 60);
});

test("to the trash, back by undo, gone for both, restored by the other", async () => {
  const ann = await browser.person(server, { name: "Ann" });
  const bo = await browser.person(server, { name: "Bo" });
  bo.mayLoseNetwork = true;
  await openDocument(ann, "to-trash");
  await title(ann).fill("Old plans");
  await write(ann, "still here");
  await openDocument(bo, "to-trash");
  await words(bo, "still here").waitFor();

  await ann.page.getByRole("button", { name: "Document menu" }).click();
  await ann.page.getByRole("menuitem", { name: "Move to trash" }).click();
  await ann.page.getByRole("button", { name: "Undo" }).waitFor();
  await screenshot(ann, "toast-light");
  await bo.page.getByRole("heading", { name: "This document is in the trash" }).waitFor();
  await screenshot(bo, "gone-light");
  await until("it is out of the list", async () => (await row(ann, "Old plans").count()) === 0);

  await bo.page.getByRole("button", { name: "Restore" }).click();
  await status(bo, "saved");
  await words(bo, "still here").waitFor();
  // Or somebody else restores it.
  const [{ name }] = (await api(server, "GET", "")).documents.filter(({ title }) => title === "Old plans");
  await api(server, "DELETE", `/${name}`);
  await bo.page.getByRole("heading", { name: "This document is in the trash" }).waitFor();
  await api(server, "POST", `/${name}/restore`);
  await status(bo, "saved");
  await write(bo, " again");

  await ann.page.reload();
  await row(ann, "Old plans").getByRole("button", { name: /More for/ }).click();
  await ann.page.getByRole("menuitem", { name: "Move to trash" }).click();
  await ann.page.getByRole("button", { name: "Undo" }).click();
  await row(ann, "Old plans").waitFor();
});

test("deleting for ever asks first, and the other is offered their copy", async () => {
  const ann = await browser.person(server, { name: "Ann" });
  const bo = await browser.person(server, { name: "Bo" });
  bo.mayLoseNetwork = true;
  await openDocument(bo, "to-delete");
  await title(bo).fill("Secret recipe");
  await write(bo, "one spoon of salt");
  await until("the title is known", async () => (await api(server, "GET", "/to-delete")).title === "Secret recipe");
  await api(server, "DELETE", "/to-delete");
  await bo.page.getByRole("heading", { name: "This document is in the trash" }).waitFor();

  await openHome(ann, "/trash");
  await row(ann, "Secret recipe").waitFor();
  await screenshot(ann, "trash-light");
  await row(ann, "Secret recipe").getByRole("button", { name: /Delete for ever/ }).click();
  await ann.page.getByRole("alertdialog").waitFor();
  await screenshot(ann, "confirm-light");
  await ann.page.keyboard.press("Escape");
  await row(ann, "Secret recipe").waitFor();
  await row(ann, "Secret recipe").getByRole("button", { name: /Delete for ever/ }).click();
  await ann.page.getByRole("alertdialog").getByRole("button", { name: "Delete for ever" }).click();
  await ann.page.getByText("“Secret recipe” was deleted for ever").first().waitFor();
  await until("it is out of the trash", async () => (await row(ann, "Secret recipe").count()) === 0);

  await bo.page.getByRole("heading", { name: "This document was deleted for ever" }).waitFor();
  await screenshot(bo, "deleted-light");
  const [download] = await Promise.all([
    bo.page.waitForEvent("download"),
    bo.page.getByRole("button", { name: "Save my copy" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "Secret recipe.md");
  await bo.page.getByRole("button", { name: "Remove from this device" }).click();
  await until("the offer is gone", async () => (await bo.page.getByRole("button", { name: "Save my copy" }).count()) === 0);
  await bo.page.reload();
  await bo.page.getByRole("heading", { name: "This document was deleted for ever" }).waitFor();
  assert.equal(await bo.page.getByRole("button", { name: "Save my copy" }).count(), 0);
});

test("loading, refused, and an address of nothing", async () => {
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  let answer;
  const asked = new Promise((resolve) => (answer = resolve));
  await ann.page.route("**/api/**", (route) => answer(route));
  await ann.page.goto(server.url);
  await ann.page.locator(".skeleton .row").first().waitFor();
  assert.equal(await ann.page.locator(".skeleton .row").count(), 6);
  await screenshot(ann, "home-loading-light");
  const route = await asked;
  await route.fulfill({ status: 507, json: { error: { code: "disk_full", message: "the disk is nearly full" } } });
  await ann.page.unroute("**/api/**");
  ann.troubles.length = 0; // the browser reports the 507 we made up
  await ann.page.getByRole("heading", { name: "The server refused: the disk is nearly full" }).waitFor();
  await screenshot(ann, "home-refused-light");
  await ann.page.getByRole("button", { name: "Try again" }).click();
  await ann.page.getByRole("list", { name: "Documents, newest first" }).waitFor();
  ann.troubles.length = 0;

  await ann.page.goto(`${server.url}/nowhere`);
  await ann.page.getByRole("heading", { name: "There is nothing at this address" }).waitFor();
  await ann.page.goto(`${server.url}/d/%20`);
  await ann.page.getByRole("heading", { name: "There is nothing at this address" }).waitFor();
  await ann.page.getByRole("link", { name: "All documents" }).click();
  await ann.page.getByRole("list", { name: "Documents, newest first" }).waitFor();
});

test("a document that was never opened on this device has the sign of its kind", async () => {
  await makeBoard(server, "drawn elsewhere");
  const ann = await browser.person(server);
  await openHome(ann);
  const row = ann.page.locator(".row", { has: ann.page.locator('a[href="/d/drawn%20elsewhere"]') });
  await row.locator(".row-icon svg.lucide-shapes").waitFor();
});

const focused = ({ page }, selector) => until(`${selector} has the focus`, () => page.evaluate((selector) => document.activeElement?.matches(selector), selector));

test("whoever makes a document writes in it at once; back at home nothing is forgotten, and the keyboard is in the page", async () => {
  for (let number = 1; number <= 30; number++) await api(server, "POST", "", { title: `Bolt of cloth ${number}` });
  const ann = await browser.person(server);
  const { page } = ann;
  for (const [button, editor, line] of [
    ["New text", ".prose", ".prose p"],
    ["New plain text", ".cm-content", ".cm-line"],
  ]) {
    await openHome(ann);
    await page.getByRole("button", { name: button, exact: true }).first().click();
    await focused(ann, editor);
    await page.keyboard.type("Words at once?");
    await page.locator(line, { hasText: "Words at once?" }).waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
    await status(ann, "saved");
  }
  await page.getByRole("link", { name: "All documents" }).first().click();
  await focused(ann, "main#content");

  await page.getByRole("searchbox").fill("bolt of");
  await until("only the bolts are shown", async () => (await page.locator(".rows .row").count()) === 30);
  await page.getByRole("link", { name: /Bolt of cloth 3\b/ }).scrollIntoViewIfNeeded();
  const place = await page.evaluate(() => scrollY);
  assert.ok(place > 300, `${place}`);
  await page.getByRole("link", { name: /Bolt of cloth 3\b/ }).click();
  await status(ann, "saved");
  const bones = page.evaluate(() => new Promise((resolve) => {
    const seen = new MutationObserver(() => document.querySelector(".home .skeleton") && resolve(true));
    seen.observe(document.body, { childList: true, subtree: true });
    addEventListener("seen-enough", () => resolve(false), { once: true });
  }));
  await page.getByRole("link", { name: "All documents" }).first().click();
  await page.getByRole("link", { name: /Bolt of cloth 3\b/ }).waitFor();
  await page.evaluate(() => dispatchEvent(new Event("seen-enough")));
  assert.equal(await bones, false);
  assert.equal(await page.getByRole("searchbox").inputValue(), "bolt of");
  assert.equal(await page.evaluate(() => scrollY), place);
});

test("a row that no server took away is back, with the reason; undone from the document's page it is in the list", async () => {
  const { name } = await api(server, "POST", "", { title: "Not to be lost" });
  const ann = await browser.person(server);
  ann.mayLoseNetwork = true;
  const { page } = ann;
  await openHome(ann);
  await row(ann, "Not to be lost").waitFor();
  await page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name, responseEnd }) => name.includes("/assets/menu-") && responseEnd > 0));
  await server.kill();
  await row(ann, "Not to be lost").getByRole("button", { name: /More for/ }).click();
  await page.getByRole("menuitem", { name: "Move to trash" }).click();
  await page.locator(".toast").getByText("The server does not answer").waitFor();
  await row(ann, "Not to be lost").waitFor();
  await server.start();

  await openDocument(ann, name);
  await page.getByRole("button", { name: "Document menu" }).click();
  await page.getByRole("menuitem", { name: "Move to trash" }).click();
  const undo = page.getByRole("button", { name: "Undo" });
  await undo.waitFor();
  await until("it is out of the list", async () => (await row(ann, "Not to be lost").count()) === 0);
  await undo.click();
  await row(ann, "Not to be lost").waitFor();
});

test("a message about a long word keeps its buttons on the screen", async () => {
  const long = `${"warpandweft".repeat(18)}`;
  await api(server, "POST", "", { title: long });
  const ann = await browser.person(server, { size: [390, 780] });
  await openHome(ann);
  await row(ann, long).getByRole("button", { name: /More for/ }).click();
  await ann.page.getByRole("menuitem", { name: "Move to trash" }).click();
  const undo = ann.page.locator(".toast").getByRole("button", { name: "Undo" });
  await undo.waitFor();
  for (const button of [undo, ann.page.locator(".toast").getByRole("button", { name: "Dismiss" })]) {
    const { x, width } = await button.boundingBox();
    assert.ok(x >= 0 && x + width <= 390, `${x} and ${width} wide`);
  }
  await undo.click();
  await row(ann, long).waitFor();
});
