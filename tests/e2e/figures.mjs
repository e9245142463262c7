// How fast the app is, in browsers, against what was promised; prints one Markdown table. Not a test: figures depend on
// the machine and on who else uses it. Names on the command line choose parts: `node figures.mjs large board`.
// With PROFILE=1 each part leaves what its busiest page did in results/*.cpuprofile, for the browser's own tools.
import { mkdir, writeFile } from "node:fs/promises";
import { Doc, encodeStateAsUpdate, Map as YMap } from "yjs";
import { draw, menu, onBoard, openBoard, sees } from "./drawing.mjs";
import { api, makeBoard, openDocument, startBrowser, startServer, status, text, until, words } from "./support.mjs";

const RESULTS = new URL("./results/", import.meta.url);
const rows = [];

/** One line of the table. `unit` follows the figure; `target` is the most it should be. */
function note(what, figure, target, unit = "ms") {
  const say = (value) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ${unit}`;
  rows.push([what, say(figure), target === null ? "" : `≤ ${target} ${unit}`, target === null ? "" : figure <= target ? "met" : "**missed**"]);
  console.error(`${what}: ${say(figure)}`);
}

const sorted = (values) => values.toSorted((one, other) => one - other);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];
const percentile = (values, share) => sorted(values)[Math.min(values.length - 1, Math.ceil(values.length * share) - 1)];

async function times(count, measure) {
  const values = [];
  for (let round = 0; round < count; round++) values.push(await measure(round));
  return values;
}

/** What `page` does during `act`, if somebody wants to know. */
async function profiled(page, name, act) {
  if (!process.env.PROFILE) return act();
  const session = await page.context().newCDPSession(page);
  await session.send("Profiler.enable");
  await session.send("Profiler.setSamplingInterval", { interval: 200 });
  await session.send("Profiler.start");
  const done = await act();
  const { profile } = await session.send("Profiler.stop");
  await mkdir(RESULTS, { recursive: true });
  await writeFile(new URL(`${name}.cpuprofile`, RESULTS), JSON.stringify(profile));
  await session.detach();
  return done;
}

/** From the beginning of the navigation to the frame in which `ready`, asked in each frame, is true. */
async function opening(page, url, ready) {
  await page.addInitScript(`{
    const ready = ${ready};
    window.opened = new Promise((resolve) => {
      const look = () => {
        if (!ready()) return requestAnimationFrame(look);
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      };
      requestAnimationFrame(look);
    });
  }`);
  await page.goto(url);
  return page.evaluate(() => window.opened);
}

/** Sets up what a page counts: from each key to the frame that shows it, and tasks nobody should have to wait for. */
const counting = (page) =>
  page.evaluate(() => {
    window.keys = [];
    window.pressed = [];
    window.tasks = [];
    window.addEventListener(
      "keydown",
      ({ timeStamp }) => {
        window.pressed.push(performance.timeOrigin + timeStamp);
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => window.keys.push(performance.now() - timeStamp);
          port2.postMessage(null);
        });
      },
      true,
    );
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });

const PARAGRAPH = "The weft passes over and under the warp, and what was two threads becomes one cloth that neither could be alone.";

async function makeText(server, name, paragraphs) {
  const doc = new Doc();
  // A boundary begins each paragraph; the text is one sequence (frontend/src/text/binding/model.ts).
  doc.getText("body").applyDelta(
    Array.from({ length: paragraphs }, (_, at) => [{ insert: new YMap([["type", "paragraph"]]) }, { insert: `${at + 1}. ${PARAGRAPH}` }]).flat(),
  );
  await send(server, name, doc);
}

async function send(server, name, doc) {
  const response = await fetch(`${server.url}/api/v1/documents/${name}/updates`, { method: "POST", body: encodeStateAsUpdate(doc), headers: { "content-type": "application/octet-stream" } });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
}

/** A text that shows so many paragraphs and may be written in. */
const TEXT_OF = (paragraphs) => `() => { const text = document.querySelector(".prose"); return text?.contentEditable === "true" && text.childElementCount >= ${paragraphs}; }`;

/** Opens it anew in a browser that has never been here, so many times. */
async function opens(browser, server, path, ready, rounds, name) {
  return times(rounds, async (round) => {
    const somebody = await browser.person(server);
    const took = round === 0 && process.env.PROFILE ? await profiled(somebody.page, name, () => opening(somebody.page, server.url + path, ready)) : await opening(somebody.page, server.url + path, ready);
    await somebody.context.close();
    return took;
  });
}

const PARTS = {
  async first(browser, server) {
    await api(server, "POST", "", { title: "One in the list" });
    await makeBoard(server, "empty-board");
    await makeText(server, "thousand", 1_000);
    const home = `() => document.querySelector(".row") !== null`;
    const board = `() => document.querySelector(".board[data-open] .excalidraw canvas.interactive") !== null`;
    for (const [what, path, ready, target] of [
      ["home, ready", "/", home, 600],
      ["empty text, ready", "/d/empty", TEXT_OF(0), 1_000],
      ["1,000 paragraphs, ready", "/d/thousand", TEXT_OF(1_000), 1_500],
      ["empty board, ready", "/d/empty-board", board, 2_000],
    ]) {
      note(what, median(await opens(browser, server, path, ready, 5, path.slice(1).replace("/", "-") || "home")), target);
    }
    const ann = await browser.person(server);
    await ann.page.goto(`${server.url}/d/empty`);
    await status(ann, "saved");
    note("empty text, a second visit", median(await times(5, () => opening(ann.page, `${server.url}/d/empty`, TEXT_OF(0)))), 400);
  },

  async large(browser, server) {
    await makeText(server, "large", 5_000);
    note("5,000 paragraphs, ready", median(await opens(browser, server, "/d/large", TEXT_OF(5_000), 5, "large-opening")), 2_000);
    const ann = await browser.person(server, { name: "Ann" });
    await openDocument(ann, "large");
    await words(ann, "5000. The weft").waitFor();
    note("5,000 paragraphs, ready from the copy on this device", median(await times(3, () => opening(ann.page, `${server.url}/d/large`, TEXT_OF(5_000)))), 2_000);
    await typing(browser, server, ann, "large", 5_000, 100, null);
  },

  async keys(browser, server) {
    await makeText(server, "thousand-keys", 1_000);
    const ann = await browser.person(server, { name: "Ann" });
    await openDocument(ann, "thousand-keys");
    await words(ann, "1000. The weft").waitFor();
    await typing(browser, server, ann, "thousand-keys", 1_000, 40, 200);
  },

  async stroke(browser, server) {
    await makeBoard(server, "stroke");
    const ann = await browser.person(server);
    await openBoard(ann, "stroke");
    const empty = (await api(server, "GET", "/stroke")).bytes;
    await draw(ann, "p", [300, 300], [310, 300], { hold: true });
    const box = await ann.page.locator(".board").boundingBox();
    for (let step = 0; step < 400; step++) await ann.page.mouse.move(box.x + 310 + step, box.y + 300 + 80 * Math.sin(step / 20));
    await ann.page.mouse.up();
    const [stroke] = await sees(ann, "the stroke", ([one]) => one?.type === "freedraw");
    await until("it is stored", async () => (await api(server, "GET", "/stroke")).bytes > empty);
    note(`a stroke of ${stroke.points.length} points, stored`, ((await api(server, "GET", "/stroke")).bytes - empty) / 1024, 20, "KiB");
  },

  async board(browser, server) {
    const ann = await browser.person(server, { name: "Ann" });
    const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
    await bo.page.addInitScript(() => {
      window.shown = [];
      window.WebSocket = class extends WebSocket {
        constructor(...address) {
          super(...address);
          this.addEventListener("message", ({ data }) => {
            // The document's name with its length, then what kind of message it is: 0 is a change, 1 is who points where.
            const bytes = new Uint8Array(data);
            if (bytes[1 + bytes[0]] !== 0) return;
            const arrived = performance.now();
            requestAnimationFrame(() => {
              const { port1, port2 } = new MessageChannel();
              port1.onmessage = () => window.shown.push(performance.now() - arrived);
              port2.postMessage(null);
            });
          });
        }
      };
    });
    await makeBoard(server, "many");
    await openBoard(ann, "many");
    const shapes = Array.from({ length: 4_000 }, (_, at) => ({
      id: `s${at}`, type: at % 3 ? "rectangle" : "ellipse", x: (at % 80) * 60, y: Math.floor(at / 80) * 60, width: 50, height: 50,
      strokeColor: "#1e1e1e", backgroundColor: "transparent", seed: at + 1, version: 1, versionNonce: at + 1, isDeleted: false, groupIds: [], boundElements: null,
    }));
    const [chooser] = await Promise.all([ann.page.waitForEvent("filechooser"), menu(ann, "Bring in a file")]);
    await chooser.setFiles({ name: "many.excalidraw", mimeType: "application/json", buffer: Buffer.from(JSON.stringify({ type: "excalidraw", version: 2, elements: shapes })) });
    await ann.page.getByText(/4,?000 shapes were brought in/).first().waitFor();
    await ann.page.keyboard.press("Escape");
    await status(ann, "saved");
    const ready = `() => document.querySelector(".board[data-open] .excalidraw canvas.interactive") !== null && document.querySelector(".board-hint") === null`;
    note("4,000 shapes, ready", median(await opens(browser, server, "/d/many", ready, 3, "board-opening")), null);
    await openBoard(bo, "many");
    await sees(bo, "them", (elements) => elements.length === 4_000);
    // All of them on the screen, and the zoomed ones near at hand.
    for (const [what, key] of [["all in sight", "Shift+1"], ["at full size", "Control+0"]]) {
      for (const person of [ann, bo]) {
        await person.page.keyboard.press(key);
        await person.page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
      }
      const shown = await profiled(bo.page, `board-remote-${key}`, async () => {
        const all = [];
        for (let round = 0; round < 15; round++) {
          await draw(ann, "r", [400 + round * 20, 300], [415 + round * 20, 320], { hold: true });
          await bo.page.evaluate(() => (window.shown = []).length);
          await ann.page.mouse.up();
          await until("something arrived at Bo's", () => bo.page.evaluate(() => window.shown.length > 0));
          all.push(...(await bo.page.evaluate(() => window.shown)));
          await ann.page.keyboard.press("Escape");
        }
        return all;
      });
      note(`4,000 shapes, ${what}: a remote change, from arrival to its frame, median`, median(shown), 50);
      note(`the same, 95 of 100`, percentile(shown, 0.95), null);
    }
    await onBoard(bo);
  },
};

/** Ann types at the end of a text that Bo has open, too. */
async function typing(browser, server, ann, name, paragraphs, target, longest) {
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openDocument(bo, name);
  await words(bo, `${paragraphs}. The weft`).waitFor();
  await text(ann).focus();
  await ann.page.keyboard.press("Control+End");
  await bo.page.keyboard.press("End");
  await Promise.all([counting(ann.page), counting(bo.page)]);
  const KEYS = 60;
  await bo.page.evaluate(() => {
    const last = () => document.querySelector(".prose").lastElementChild.textContent.replaceAll(/\u2060/g, "");
    window.lengths = [];
    const look = () => {
      const { length } = last();
      if (length !== window.lengths.at(-1)?.length) window.lengths.push({ length, at: performance.timeOrigin + performance.now() });
      requestAnimationFrame(look);
    };
    look();
  });
  await profiled(ann.page, `${name}-keys`, () =>
    profiled(bo.page, `${name}-remote`, async () => {
      for (let key = 0; key < KEYS; key++) await ann.page.keyboard.press("x", { delay: 40 });
      await until("Bo has them all", () => bo.page.evaluate((count) => document.querySelector(".prose").lastElementChild.textContent.includes("x".repeat(count)), KEYS));
    }),
  );
  const { keys, pressed } = await ann.page.evaluate(() => ({ keys: window.keys, pressed: window.pressed }));
  const { lengths, tasks } = await bo.page.evaluate(() => ({ lengths: window.lengths, tasks: window.tasks }));
  const size = paragraphs.toLocaleString("en");
  note(`a key in ${size} paragraphs, median`, median(keys), target);
  note("the same, 95 of 100", percentile(keys, 0.95), null);
  // The name at Ann's caret is part of what Bo's page shows: lengths are counted from the last one.
  const full = lengths.at(-1).length;
  const across = pressed.map((at, key) => lengths.find(({ length }) => length >= full - KEYS + key + 1).at - at);
  note(`a key in ${size} paragraphs, until another browser shows it, 95 of 100`, percentile(across, 0.95), longest === null ? null : 120);
  note(`the longest task in that browser meanwhile`, Math.max(0, ...tasks), longest);
}

const wanted = process.argv.slice(2);
const [server, browser] = await Promise.all([startServer(), startBrowser()]);
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await part(browser, server);
    await browser.everybodyLeaves();
  }
} finally {
  await Promise.all([browser.close(), server.dispose()]);
}
console.log(`| what | measured | promised | |\n|---|---|---|---|\n${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}`);
