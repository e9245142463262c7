// The network goes, the server goes, the page is reloaded: no word is lost, and the page says what is happening.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { api, kept, openDocument, reading, sameText, screenshot, startBrowser, startServer, status, stored, text, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

async function annAndBo(document) {
  const ann = await browser.person(server, { name: "Ann" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await openDocument(ann, document);
  await openDocument(bo, document);
  return [ann, bo];
}

test("offline edits of both sides meet, and both see each other again at once", async () => {
  const [ann, bo] = await annAndBo("offline");
  await write(ann, "Before. ");
  await words(bo, "Before.").waitFor();

  await ann.context.setOffline(true);
  await status(ann, "offline");
  await write(ann, "Ann alone. ");
  await ann.page.getByText(/\d+ changes kept on this device/).waitFor();
  await screenshot(ann, "offline-light");
  await text(bo).focus();
  await bo.page.keyboard.press("Control+Home");
  await bo.page.keyboard.type("Bo alone. ");
  assert.ok(!(await reading(bo)).includes("Ann alone"));

  await ann.context.setOffline(false);
  await status(ann, "saved");
  const both = await sameText(ann, bo);
  assert.ok(both.includes("Bo alone. Before. Ann alone."), both);
  await ann.page.getByRole("button", { name: /where Bo is writing/ }).waitFor();
  await bo.page.getByRole("button", { name: /where Ann is writing/ }).waitFor();
  await bo.page.locator(".caret").waitFor();
});

test("a reload with a socket that breaks each time shows the copy on this device, to be written in", async () => {
  const [ann, bo] = await annAndBo("copy");
  await write(ann, "On both. ");
  await stored(ann);
  await words(bo, "On both.").waitFor();

  await ann.page.routeWebSocket(/\/hocuspocus/, (socket) => setTimeout(() => socket.close({ code: 1011 }), 50));
  // Nor over REST, by which what waits is sent while a document is not open, as between two pages.
  await ann.page.route(/\/updates$/, (route) => route.abort());
  await ann.page.reload();
  await words(ann, "On both.").waitFor();
  await status(ann, "offline");
  await write(ann, "Here only. ");
  await kept(ann);
  await ann.page.reload();
  await words(ann, "On both. Here only.").waitFor();
  await ann.page.getByText(/changes kept on this device/).waitFor();
  assert.ok(!(await reading(bo)).includes("Here only"));

  // The routing lasts as long as its page; a new one of the same person reaches the server again.
  const fresh = await ann.context.newPage();
  await fresh.goto(ann.page.url());
  await words(bo, "On both. Here only.").waitFor();
});

test("a network that blocks sockets is named, and the copy on this device can be read", async () => {
  const [ann] = await annAndBo("blocked");
  await write(ann, "To be read. ");
  await stored(ann);
  await ann.page.routeWebSocket(/\/hocuspocus/, (socket) => socket.close());
  await ann.page.reload();
  await status(ann, "no-websocket");
  await ann.page.getByRole("alert").getByText("blocks live connections").waitFor();
  await words(ann, "To be read.").waitFor();
  assert.equal(await text(ann).getAttribute("contenteditable"), "false");
  await screenshot(ann, "no-websocket-light");
});

test("kill -9 in mid-sentence: both go on where they were", async () => {
  const [ann, bo] = await annAndBo("killed");
  const sentence = "This sentence goes on and on while the server is killed in the middle of it and comes back. ";
  await text(ann).focus();
  const typing = ann.page.keyboard.type(sentence, { delay: 25 });
  await words(bo, "This sentence goes").waitFor();
  await server.kill();
  await status(bo, "reconnecting");
  await write(bo, "Bo, too. ");
  await typing;
  assert.ok((await reading(ann)).includes(sentence.trim()));
  await server.start();
  await Promise.all([status(ann, "saved"), status(bo, "saved")]);
  const both = await sameText(ann, bo);
  assert.ok(both.includes("comes back."), both);
  const letters = both.replaceAll(/<[^>]*>/g, "");
  assert.equal(letters.length, sentence.length + "Bo, too. ".length, letters);

  const late = await browser.person(server, { name: "Cy" });
  await openDocument(late, "killed");
  await until("a newcomer reads the same", async () => (await reading(late)) === both);
});

test("saved is said only when the server has said so, and a line gone dead is noticed within twelve seconds", async () => {
  const ann = await browser.person(server, { name: "Ann" });
  ann.mayLoseNetwork = true;
  await openDocument(ann, "frozen");
  await write(ann, "Durable. ");
  await status(ann, "saved");
  const pill = ann.page.locator(".pill-word");
  await pill.getByText(/^Saved$/).waitFor();

  server.freeze();
  const since = performance.now();
  await write(ann, "On its way. ");
  await status(ann, "saving");
  await pill.getByText("Saving…").waitFor();
  await screenshot(ann, "saving-light");
  assert.equal(await pill.getByText(/^Saved$/).count(), 0);
  await status(ann, "reconnecting");
  const noticed = performance.now() - since;
  assert.ok(noticed < 12_000, `noticed after ${noticed} ms`);
  await ann.page.getByText(/\d+ changes? kept on this device/).waitFor();

  server.thaw();
  await status(ann, "saved");
  await server.kill();
  await server.start();
  const late = await browser.person(server, { name: "Cy" });
  await openDocument(late, "frozen");
  await words(late, "Durable. On its way.").waitFor();
});

test("a document that is not on this device says so, and opens by itself when the server is back", async () => {
  const ann = await browser.person(server, { name: "Ann" });
  ann.mayLoseNetwork = true;
  await openDocument(ann, "elsewhere");
  await ann.page.getByRole("link", { name: "All documents" }).first().click();
  // A server that is stopping answers a list that is asked for now with 503.
  await ann.page.locator('a[href="/d/elsewhere"]').first().waitFor();
  await server.stop();
  await ann.page.evaluate(() => {
    history.pushState(null, "", "/d/never-opened-here");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await ann.page.getByRole("heading", { name: "This document is not on this device" }).waitFor();
  await screenshot(ann, "unreachable-light");
  await server.start();
  // It opens, and what there is to see is that nobody ever made it.
  await ann.page.getByRole("heading", { name: "Nothing was ever made at this address" }).waitFor();
  await ann.page.getByRole("button", { name: "New text", exact: true }).click();
  await write(ann, "here now");
});

test("the home page without a server offers what is on this device, and names what is not", async () => {
  const ann = await browser.person(server, { name: "Ann" });
  ann.mayLoseNetwork = true;
  await api(server, "POST", "", { title: "Never opened here" });
  await openDocument(ann, "kept here");
  await write(ann, "Kept words");
  await stored(ann);
  await ann.page.getByRole("link", { name: "All documents" }).first().click();
  await ann.page.getByRole("link", { name: /Kept words/ }).first().waitFor();
  await ann.page.route("**/api/**", (route) => route.abort());
  await ann.page.reload();
  await ann.page.getByRole("alert").getByText("The server does not answer").waitFor();
  await ann.page.getByRole("list", { name: "On this device" }).getByRole("link", { name: /Kept words/ }).waitFor();
  const rows = await ann.page.getByRole("list", { name: "On this device" }).getByRole("listitem").allTextContents();
  assert.match(rows[0], /On this device/);
  assert.match(rows.at(-1), /Not on this device/);
  assert.ok(rows.some((row) => row.includes("Never opened here")), rows.join());
  await screenshot(ann, "home-unreachable-light");
  await ann.page.unroute("**/api/**");
  await ann.page.getByRole("button", { name: "Try again" }).click();
  await ann.page.getByRole("list", { name: "Documents, newest first" }).waitFor();
});
