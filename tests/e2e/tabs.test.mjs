// One person, several tabs: they show the same and count the same, and what one wrote is lost with none of them.
import { after, afterEach, before, test } from "node:test";
import { anotherTab, kept, openDocument, reading, startBrowser, startServer, status, stored, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const counted = (tab, count) => tab.page.getByTestId("status").getByText(`${count} changes kept on this device`, { exact: true }).waitFor();

async function twoTabs(document) {
  const one = await browser.person(server, { name: "Ann" });
  one.mayLoseNetwork = true;
  await openDocument(one, document);
  const two = await anotherTab(one);
  await openDocument(two, document);
  return [one, two];
}

test("two tabs without a server show the same words and the same count, and the one that is left brings everything", async () => {
  const [one, two] = await twoTabs("two tabs");
  await write(one, "Shared. ");
  await stored(one);
  await words(two, "Shared.").waitFor();
  await one.context.setOffline(true);
  for (const tab of [one, two]) await status(tab, "offline");
  await write(one, "precious");
  await words(two, "Shared. precious").waitFor();
  await write(two, "xyz");
  await words(one, "Shared. preciousxyz").waitFor();
  for (const tab of [one, two]) await counted(tab, 11);
  await kept(one);
  await one.page.close();
  await two.context.setOffline(false);
  await status(two, "saved");
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openDocument(bo, "two tabs");
  await until("Bo has everything, once", async () => (await reading(bo)) === "<p>Shared. preciousxyz</p>");
});

test("a copy removed in one tab is there again for the one that has the document open", async () => {
  const [one, two] = await twoTabs("removed elsewhere");
  await write(one, "Before. ");
  await stored(one);
  await two.page.goto(`${server.url}/settings`);
  await two.page.getByRole("button", { name: /^Remove/ }).click();
  await two.page.close();
  await one.context.setOffline(true);
  await status(one, "offline");
  await write(one, "After.");
  await counted(one, 6);
  // Until it is stored anew, and then what was written since.
  await until("the copy is back", () =>
    one.page.evaluate(async () => {
      if (!(await indexedDB.databases()).some(({ name }) => name === "weft:document:removed elsewhere")) return false;
      return new Promise((resolve) => {
        const opening = indexedDB.open("weft:document:removed elsewhere");
        opening.onsuccess = () => {
          const count = opening.result.transaction("updates").objectStore("updates").count();
          count.onsuccess = () => (opening.result.close(), resolve(count.result > 0));
        };
      });
    }),
  );
  await kept(one);
  // Another tab has only what is stored; this one is gone by then.
  await one.context.setOffline(false);
  const three = await anotherTab(one);
  await three.page.routeWebSocket(/\/hocuspocus/, (socket) => socket.close({ code: 1011 }));
  await one.page.close();
  await three.page.goto(`${server.url}/d/removed elsewhere`);
  await words(three, "Before. After.").waitFor();
});
