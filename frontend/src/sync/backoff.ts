// How long a lost line waits before it is tried again. The provider of documents keeps its own count and is given these
// bounds; every other line asks `waitAfter`.

/** The wait after the first fruitless attempt, and the longest. In ms. */
export const SHORTEST_WAIT = 500;
export const LONGEST_WAIT = 30_000;

/** Room may come free: how long until the next look, in ms. */
export const FULL_WAIT = 20_000;

/**
 * The wait after so many failures in a row, at least one: doubled each time, and anywhere in its upper half, so that those
 * who lost one server together do not come back together.
 */
export function waitAfter(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(SHORTEST_WAIT * 2 ** Math.max(0, failures - 1), LONGEST_WAIT);
  return longest / 2 + (random() * longest) / 2;
}
