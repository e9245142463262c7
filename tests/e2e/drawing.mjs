// What people do at a board, and what they see on it.
import { readFile } from "node:fs/promises";
import { status, until } from "./support.mjs";

export async function openBoard(somebody, name) {
  await somebody.page.goto(`${somebody.server.url}/d/${encodeURIComponent(name)}`);
  await status(somebody, "saved");
  await onBoard(somebody);
}

/** Waits until the board stands and listens. */
export const onBoard = ({ page }) => page.locator(".board[data-open] .excalidraw canvas.interactive").waitFor();

/** A place on the board, from the upper left corner of its part of the page. */
export async function at({ page }, x, y) {
  const box = await page.locator(".board").boundingBox();
  return [box.x + x, box.y + y];
}

export async function drag(somebody, from, to, { hold = false } = {}) {
  const { mouse } = somebody.page;
  await mouse.move(...(await at(somebody, ...from)));
  await mouse.down();
  await mouse.move(...(await at(somebody, (from[0] + to[0]) / 2, (from[1] + to[1]) / 2)), { steps: 3 });
  await mouse.move(...(await at(somebody, ...to)), { steps: 3 });
  if (!hold) await mouse.up();
}

export async function draw(somebody, key, from, to, options) {
  await somebody.page.keyboard.press(key);
  await drag(somebody, from, to, options);
}

export const click = async (somebody, x, y) => somebody.page.mouse.click(...(await at(somebody, x, y)));

export async function menu({ page }, item) {
  await page.getByRole("button", { name: "Document menu" }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

export async function saved(somebody, item) {
  const [download] = await Promise.all([somebody.page.waitForEvent("download"), menu(somebody, item)]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** What this person sees, as the file they would save: everything on the board, in drawing order. */
export async function seen(somebody) {
  if (await somebody.page.locator(".board-hint").count()) return [];
  const { bytes } = await saved(somebody, "Save as .excalidraw file");
  return JSON.parse(bytes).elements;
}

export const kinds = (elements) => elements.map(({ type }) => type);

export async function sees(somebody, what, test) {
  let last;
  return until(
    () => `${somebody.name} sees ${what}: ${JSON.stringify(last)}`,
    async () => test((last = await seen(somebody))) && last,
  );
}
