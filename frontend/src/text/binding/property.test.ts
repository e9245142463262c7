// @vitest-environment happy-dom
// Whatever several people do to the structure of a text at once, all see the same in the end, and no word is lost, doubled
// or torn; one of them also moves blocks. PLANS=20000 plays more of it, SEED=… one plan again, or more from there.
import type { Schema } from "@tiptap/pm/model";
import { getSchema } from "@tiptap/core";
import { expect, test } from "vitest";
import { Doc } from "yjs";
import { readText } from "./binding";
import { copyOf, extensions, person } from "./testing/person";
import { Fault, makePlan, type Outcome, type Plan, play, shrunk } from "./testing/plan";

const schema: Schema = getSchema(extensions());

function result(plan: Plan): Outcome | string {
  let ids = 0;
  try {
    return play(plan, {
      create: (doc) => person(doc, () => `i${doc.clientID}x${ids++}`),
      doc: (clientID, from) => {
        if (from !== null) return copyOf(from, clientID);
        const doc = new Doc({ guid: "text" });
        doc.clientID = clientID;
        return doc;
      },
      check: ({ doc, editor }, step) => {
        const shown = editor.state.doc;
        shown.check();
        // At the end as somebody sees it who opens the text then.
        const fresh = readText(step === plan.acts.length ? copyOf(doc, 1e6) : doc, schema);
        const [a, b] = [JSON.stringify(shown.toJSON()), JSON.stringify(fresh.toJSON())];
        if (a !== b) throw new Fault(`step ${step}: shown\n${a}\nand not\n${b}`);
      },
      strict: true,
    });
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${error instanceof Fault ? "" : error.stack}` : String(error);
  }
}

function fault(plan: Plan): string | null {
  const outcome = result(plan);
  if (typeof outcome === "string") return outcome;
  if (!outcome.equal) return "not all see the same";
  if (outcome.lost.length > 0) return `lost ${outcome.lost.join()}\n${outcome.view}`;
  if (outcome.doubled.length > 0) return `doubled ${outcome.doubled.join()}\n${outcome.view}`;
  return null;
}

const kindOf = (message: string | null): string => message?.split("\n")[0]?.replace(/step \d+/g, "").replace(/<\w+>|\d+/g, "#") ?? "";

test("random: no structural edit costs a word, and all see the same", { timeout: 3_600_000 }, async () => {
  const only = process.env["SEED"];
  // A plan that fails is told with its seed; one that goes on for too long is found from the first of them.
  const first = only === undefined ? Date.now() % 1_000_000_000 : Number(only);
  const plans = Number(process.env["PLANS"] ?? (only === undefined ? 500 : 1));
  process.stdout.write(`${plans} plans from seed ${first}\n`);
  let faults = 0;
  let played = 0;
  for (let seed = first; seed < first + plans; seed++) {
    // What commands leave for later is done between plans: until then it keeps all that it is about, a fifth of a megabyte each.
    await new Promise((resolve) => setTimeout(resolve));
    const plan = makePlan(seed);
    if (++played % 1000 === 0) process.stdout.write(`${played} plans, to seed ${seed}\n`);
    const found = fault(plan);
    if (found === null) continue;
    faults += 1;
    if (process.env["COUNT"] !== undefined) {
      process.stdout.write(`seed ${seed}: ${kindOf(found)}\n`);
      continue;
    }
    const kind = kindOf(found);
    const small = shrunk(plan, (smaller) => kindOf(fault(smaller)) === kind);
    expect.fail(`seed ${seed}: ${fault(small)}\n${small.people} people\n${small.acts.map((act) => JSON.stringify(act)).join("\n")}`);
  }
  expect(faults).toBe(0);
});
