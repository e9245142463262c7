// The picture of the README: two people in a text, as one of them sees it. `make picture` writes it.
import { fileURLToPath } from "node:url";
import { openDocument, select, startBrowser, startServer, status, title, words, write } from "./support.mjs";

const [server, browser] = await Promise.all([startServer(), startBrowser()]);
try {
  const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490", size: [1120, 700] });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  for (const somebody of [ann, bo]) await openDocument(somebody, "workshop");
  const chat = ({ page }) => page.getByRole("button", { name: /^Chat/ });
  const say = async ({ page }, message) => {
    await page.getByRole("textbox", { name: "Message" }).fill(message);
    await page.keyboard.press("Enter");
    await ann.page.locator(".chat-text", { hasText: message }).waitFor();
  };
  for (const somebody of [ann, bo]) await chat(somebody).click();
  await say(bo, "Is the old mill heated?");
  await say(ann, "There is a stove, and a kettle.");

  await title(ann).fill("The weaving workshop");
  await write(ann, "We meet in the old mill on Saturday at ten. The kettle is ours.\n# What to bring\n[] Two skeins of undyed wool\nA comb\n");
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("# How much\n");
  await ann.page.getByRole("button", { name: "Table", exact: true }).click();
  for (const cell of ["Yarn", "Metres", "Colour", "Linen", "120", "Flax", "Wool", "80", "Undyed"]) {
    if (cell !== "Yarn") await ann.page.keyboard.press("Tab");
    await ann.page.keyboard.type(cell);
  }
  await words(bo, "A comb").click();
  await select(bo, "End");
  await bo.page.keyboard.type(", and a shuttle if you have one");
  await words(ann, "shuttle").waitFor();
  await status(ann, "saved");
  await ann.page.screenshot({ path: fileURLToPath(new URL("../../docs/two-people.png", import.meta.url)) });
} finally {
  await Promise.all([browser.close(), server.dispose()]);
}
