// Rounds of the same acts: how many of each kept every word. One that failed does not keep the others from being tried.
import assert from "node:assert/strict";

export function startTally() {
  const rows = new Map();
  const failures = [];
  return {
    /** Tries one round of a row; what fails is written down. */
    round: async (row, note, act) => {
      const counts = rows.get(row) ?? { kept: 0, rounds: 0 };
      rows.set(row, counts);
      counts.rounds += 1;
      try {
        await act();
        counts.kept += 1;
      } catch (error) {
        failures.push(`${note}: ${error.message}`);
      }
    },
    /** Whether all rounds since this was last asked went well. */
    settle: () => assert.deepEqual(failures.splice(0), []),
    /** One line for each row, of those that were tried more often than in an ordinary run. */
    print: () => {
      for (const [row, { kept, rounds }] of rows) if (rounds > 2) console.log(`${kept} of ${rounds}: ${row}`);
    },
  };
}
