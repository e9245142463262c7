// What one person does to the structure of a text costs no letter that another writes in it meanwhile: near, far and
// offline, and the caret of whoever writes stays behind the last letter. By default each is tried twice at each distance;
// `make structure` is the long run, which prints how often each went well.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DELAYS, act, begin, into, letters, startFar, whole } from "./far.mjs";
import { sameText, status, until } from "./support.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 2);
/** Of what takes long. */
const LONG_ROUNDS = ROUNDS > 2 ? ROUNDS : 1;
/** What is written by one, letter by letter, while the other acts. */
const WRITTEN = "qwertzuiopasdfghjk";

const { tally, two, asStored } = startFar();

const LINES = "above the line\nthe line ";
const ACTS = {
  "a heading of it": [LINES, ["Control+Alt+2"]],
  "a bullet list of it": [LINES, ["Control+Shift+8"]],
  "a numbered list of it": [LINES, ["Control+Shift+7"]],
  "tasks of it": [LINES, ["Control+Shift+9"]],
  "a quote of it": [LINES, ["Control+Shift+B"]],
  "code of it": [LINES, ["Control+Alt+C"]],
  "joined to the line above": [LINES, ["Home", "Backspace"]],
  "joined from the line above": [LINES, ["ArrowUp", "End", "Delete"]],
  "split in its middle": [LINES, ["Home", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"]],
  "a line before it": [LINES, ["Home", "Enter"]],
  "bold and a heading": [LINES, ["Shift+Home", "Control+b", "Control+Alt+1"]],
  "an item indented": ["- above the line\nthe line ", ["Tab"]],
  "an item out of its list": ["- above the line\nthe line ", ["Shift+Tab"]],
  "an item joined to the one above": ["- above the line\nthe line ", ["Home", "Backspace"]],
  "undone and done again": [LINES, ["Control+Alt+2", "Control+z", "Control+Shift+z"]],
};

for (const delay of DELAYS) {
  test(`online, ${delay} ms each way: nothing that is written meanwhile is lost, and the caret stays behind it`, async () => {
    const [ann, bo] = await two(`acts ${delay}`, delay);
    for (const [name, [content, keys]] of Object.entries(ACTS)) {
      for (let round = 0; round < ROUNDS; round++) {
        const note = `${name}, ${delay} ms, round ${round}`;
        await tally.round(`${name}, ${delay} ms`, note, async () => {
          await begin(ann, bo, content);
          await into(ann, "the line", "End");
          await into(bo, "the line", "End");
          const writing = bo.page.keyboard.type(WRITTEN, { delay: 20 });
          await ann.page.waitForTimeout(40 + round * 13);
          await act(ann, keys);
          await writing;
          await whole(ann, bo, WRITTEN, note);
          await bo.page.keyboard.type("!");
          await whole(ann, bo, `${WRITTEN}!`, `${note}, the caret`);
        });
      }
    }
    tally.settle();
    await asStored(ann, `acts ${delay}`);
  });

  test(`online, ${delay} ms each way: a line that is deleted keeps what its deleter had not seen`, async () => {
    const [ann, bo] = await two(`deleted ${delay}`, delay);
    await ann.page.evaluate(() => {
      document.addEventListener("keydown", ({ key }) => key === "Backspace" && (window.selected = String(getSelection())), true);
    });
    for (let round = 0; round < ROUNDS; round++) {
      await tally.round(`a line deleted, ${delay} ms`, `round ${round}`, async () => {
        await begin(ann, bo, LINES);
        await into(ann, "the line", "End");
        await into(bo, "the line", "End");
        const writing = bo.page.keyboard.type(WRITTEN, { delay: 20 });
        await ann.page.waitForTimeout(40 + round * 13);
        await act(ann, ["Shift+Home", "Backspace", "Backspace"]);
        await writing;
        const selected = await ann.page.evaluate(() => window.selected);
        await sameText(ann, bo);
        const seen = [...WRITTEN].filter((letter) => selected.slice("the line ".length).includes(letter)).join("");
        assert.ok(WRITTEN.startsWith(seen), selected);
        // The second Backspace joins the lines, or takes the last letter of the one that was there.
        const read = (await letters(ann)).replaceAll("\n", "");
        assert.ok(read.endsWith(WRITTEN.slice(seen.length)), `round ${round}: ${JSON.stringify(selected)} was deleted, and ${JSON.stringify(read)} is left`);
      });
    }
    tally.settle();
    await asStored(ann, `deleted ${delay}`);
  });

  test(`online, ${delay} ms each way: nested items joined to each other keep every letter, and no name becomes text`, async () => {
    const [ann, bo] = await two(`nested ${delay}`, delay);
    for (let round = 0; round < ROUNDS; round++) {
      await tally.round(`nested items joined, ${delay} ms`, `round ${round}`, async () => {
        await begin(ann, bo, "- first\n");
        await ann.page.keyboard.press("Tab");
        await ann.page.keyboard.type("second\nthe line ");
        await sameText(ann, bo);
        await into(ann, "the line", "Home");
        await into(bo, "the line", "End");
        const writing = bo.page.keyboard.type(WRITTEN, { delay: 20 });
        await ann.page.waitForTimeout(40 + round * 13);
        for (let step = 0; step < 3; step++) await ann.page.keyboard.press("Backspace");
        await writing;
        await whole(ann, bo, WRITTEN, `round ${round}`);
      });
    }
    tally.settle();
    await asStored(ann, `nested ${delay}`);
  });

  test(`online, ${delay} ms each way: a column added beside it does not move the caret in a table`, async () => {
    const [ann, bo] = await two(`columns ${delay}`, delay);
    for (let round = 0; round < ROUNDS; round++) {
      await tally.round(`a column added, ${delay} ms`, `round ${round}`, async () => {
        await begin(ann, bo, "a table\n");
        await ann.page.getByRole("button", { name: "Table", exact: true }).first().click();
        await ann.page.keyboard.type("corner");
        await sameText(ann, bo);
        await bo.page.locator(".prose td").nth(4).click();
        const writing = bo.page.keyboard.type(WRITTEN, { delay: 20 });
        await ann.page.waitForTimeout(40 + round * 13);
        await tables(ann).getByRole("button", { name: "Column", exact: true }).click();
        await ann.page.getByRole("menuitem", { name: "Column before" }).click();
        await writing;
        await whole(ann, bo, WRITTEN, `round ${round}`);
        await bo.page.keyboard.type("!");
        await whole(ann, bo, `${WRITTEN}!`, `round ${round}, the caret`);
      });
    }
    tally.settle();
    await asStored(ann, `columns ${delay}`);
  });

  test(`online, ${delay} ms each way: two who add rows and columns at once get a whole table`, async () => {
    const [ann, bo] = await two(`both ${delay}`, delay);
    const add = async (person, what, item) => {
      await tables(person).getByRole("button", { name: what, exact: true }).click();
      await person.page.getByRole("menuitem", { name: item }).click();
      await person.page.getByRole("menu").waitFor({ state: "detached" });
    };
    for (let round = 0; round < LONG_ROUNDS; round++) {
      await tally.round(`rows and columns by both, ${delay} ms`, `round ${round}`, async () => {
        await begin(ann, bo, "a table\n");
        await ann.page.getByRole("button", { name: "Table", exact: true }).first().click();
        await ann.page.keyboard.type("corner");
        await sameText(ann, bo);
        await bo.page.locator(".prose td").nth(1).click();
        await Promise.all(
          [ann, bo].map(async (person) => {
            for (let step = 0; step < 3; step++) {
              await add(person, "Row", "Row below");
              await add(person, "Column", "Column after");
            }
          }),
        );
        // Where each has yet to hear of the other's last column, both read the same, too.
        const nine = Array.from({ length: 9 }, () => 9).join();
        const cells = ({ page }) => page.locator(".prose tr").evaluateAll((rows) => rows.map(({ cells }) => cells.length).join());
        let found = [];
        await until(
          () => `nine rows of nine cells, and not ${found.join(" and ")}`,
          async () => (found = await Promise.all([cells(ann), cells(bo)])).every((one) => one === nine),
        );
        await sameText(ann, bo);
      });
    }
    tally.settle();
    await asStored(ann, `both ${delay}`);
  });
}

const tables = ({ page }) => page.getByRole("toolbar", { name: "Table" });
const away = ({ page }) => page.locator("[data-testid=status]:is([data-status=offline], [data-status=reconnecting])").waitFor();

test("offline, and then back: what was written there stands where it was written, and nobody is asked about it", async () => {
  const [ann, bo] = await two("offline", 0);
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  for (const [name, [content, keys]] of Object.entries(ACTS)) {
    for (let round = 0; round < LONG_ROUNDS; round++) {
      // Whoever writes, or whoever acts.
      const gone = round % 2 === 0 ? bo : ann;
      await tally.round(`${name}, offline`, `${name}, round ${round}`, async () => {
        await begin(ann, bo, content);
        await into(ann, "the line", "End");
        await into(bo, "the line", "End");
        await gone.context.setOffline(true);
        await away(gone);
        await bo.page.keyboard.type(WRITTEN);
        await act(ann, keys);
        await gone.context.setOffline(false);
        await status(gone, "saved");
        await whole(ann, bo, WRITTEN, `${name}, round ${round}`);
        await bo.page.keyboard.type("!");
        await whole(ann, bo, `${WRITTEN}!`, `${name}, the caret`);
        assert.equal(await bo.page.locator(".toast", { hasText: WRITTEN }).count(), 0);
      });
    }
  }
  tally.settle();
  await asStored(ann, "offline");
});

test("a line deleted while another writes in it offline keeps what was written there", async () => {
  const [ann, bo] = await two("offline deleted", 0);
  bo.mayLoseNetwork = true;
  for (let round = 0; round < LONG_ROUNDS; round++) {
    await tally.round("a line deleted, offline", `round ${round}`, async () => {
      await begin(ann, bo, LINES);
      await into(bo, "the line", "End");
      await bo.context.setOffline(true);
      await away(bo);
      await bo.page.keyboard.type(WRITTEN);
      await ann.page.keyboard.press("Control+a");
      await ann.page.keyboard.press("Backspace");
      await bo.context.setOffline(false);
      await status(bo, "saved");
      assert.equal((await whole(ann, bo, WRITTEN, "deleted")).replaceAll("\n", ""), WRITTEN);
    });
  }
  tally.settle();
  await asStored(ann, "offline deleted");
});
