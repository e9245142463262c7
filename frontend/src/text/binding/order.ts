// Fractional indices: between any two there is room for another, so that a row can be put between two rows without
// renumbering any. Two people who put one at the same place at once make the same index; the ids then decide.

/** In the order in which strings compare. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const USABLE = /^[0-9A-Za-z]*[1-9A-Za-z]$/;

/** Something after `low` and before `high`; `null` is no limit. Where they leave no room, `low` counts. */
export function between(low: string | null, high: string | null): string {
  const floor = low !== null && USABLE.test(low) ? low : "";
  return within(floor, high !== null && USABLE.test(high) && floor < high ? high : null);
}

function within(low: string, high: string | null): string {
  if (high !== null) {
    let same = 0;
    while ((low[same] ?? "0") === high[same]) same += 1;
    if (same > 0) return high.slice(0, same) + within(low.slice(same), high.slice(same));
  }
  const under = low === "" ? 0 : DIGITS.indexOf(low[0] ?? "");
  const over = high === null ? DIGITS.length : DIGITS.indexOf(high[0] ?? "");
  // At the end one digit on is enough, and rows that are added there one by one stay short.
  if (over - under > 1) return DIGITS[high === null && low !== "" ? under + 1 : (under + over + 1) >> 1] ?? "";
  if (high !== null && high.length > 1) return high.slice(0, 1);
  return (DIGITS[under] ?? "") + within(low.slice(1), null);
}
