// A word that somebody composes with an input method is whole, and there once, whatever a colleague makes of its line
// meanwhile; and the caret stays behind it. `make structure` is the long run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DELAYS, act, begin, into, startFar, whole } from "./far.mjs";
import { reading, status, until } from "./support.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 1);
const { tally, two, asStored } = startFar();

const LINES = "above\nthe line \nbelow";
const ITEMS = "- above\nthe line \nbelow";
/** What the colleague does, with the caret at the end of the line that is composed in. */
const ACTS = {
  "written in at its start": [LINES, ["Home", "B", "o"]],
  "written in at its end": [LINES, ["B", "o"]],
  "split before the word": [LINES, ["Home", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"]],
  "split behind the word": [LINES, ["Enter"]],
  "split within the word": [LINES, ["ArrowLeft", "Enter"]],
  "joined to the line above": [LINES, ["Home", "Backspace"]],
  "joined from the line above": [LINES, ["ArrowUp", "End", "Delete"]],
  "joined by the line below": [LINES, ["Delete"]],
  "made a heading": [LINES, ["Control+Alt+2"]],
  "made a list": [LINES, ["Control+Shift+8"]],
  "made a quote": [LINES, ["Control+Shift+B"]],
  "made code": [LINES, ["Control+Alt+C"]],
  "made bold": [LINES, ["Shift+Home", "Control+b"]],
  "moved up": [LINES, ["Alt+ArrowUp"]],
  "an item indented": [ITEMS, ["Tab"]],
  "an item out of its list": [ITEMS, ["Shift+Tab"]],
  "deleted": [LINES, ["Shift+Home", "Backspace"]],
  "deleted and joined": [LINES, ["Shift+Home", "Backspace", "Backspace"]],
  "deleted with all around it": [LINES, ["Control+a", "Backspace"]],
  "made a heading and undone": [LINES, ["Control+Alt+2", "Control+z"]],
};
const STEPS = ["ㄋ", "ㄋㄧ", "你", "你ㄏ", "你ㄏㄠ", "你好"];

for (const delay of DELAYS) {
  test(`a word is composed in a line that a colleague changes, ${delay} ms each way`, async () => {
    const [ann, bo] = await two(`composed ${delay}`, delay);
    const session = await ann.context.newCDPSession(ann.page);
    const compose = (word) => session.send("Input.imeSetComposition", { text: word, selectionStart: word.length, selectionEnd: word.length });

    for (const [name, [content, keys]] of Object.entries(ACTS)) {
      for (let round = 0; round < ROUNDS; round++) {
        const note = `${name}, ${delay} ms, round ${round}`;
        await tally.round(`composed in a line: ${name}, ${delay} ms`, note, async () => {
          await begin(ann, bo, content);
          await into(ann, "the line", "End");
          // From step to step of the composition the colleague comes at another one.
          const at = 2 + (round % (STEPS.length - 1));
          for (const step of STEPS.slice(0, at)) await compose(step);
          await until(`${note}: the colleague reads it`, async () => (await reading(bo)).includes(STEPS[at - 1]));
          await into(bo, "the line", "End");
          await act(bo, keys);
          await status(bo, "saved");
          for (const step of STEPS.slice(at)) {
            await compose(step);
            await ann.page.waitForTimeout(30);
          }
          await session.send("Input.insertText", { text: "你好" });
          const lines = async (person) => {
            const all = (await reading(person)).replaceAll(/<\/?strong>/g, "").replaceAll(/<[^>]*>/g, "\n");
            // Who presses Enter between two letters that are there wants them apart.
            return name === "split within the word" ? all.replaceAll("\n", "") : all;
          };
          await whole(ann, bo, "你好", note, lines);
          await ann.page.keyboard.type("，");
          const read = await whole(ann, bo, "你好，", `${note}, the caret`, lines);
          assert.doesNotMatch(read, /[ㄋㄧㄏㄠ]/, `${note}: parts of a word are left in ${JSON.stringify(read)}`);
        });
      }
    }
    tally.settle();
    await asStored(ann, `composed ${delay}`);
  });
}
