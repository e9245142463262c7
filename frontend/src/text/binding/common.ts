// What two strings have in common, in order, and as much of it as there can be.

export type Part = readonly [kind: "keep" | "remove" | "insert", text: string];

/** Above so many pairs of letters it is not worth the time: then they have only what stands at both ends. */
const MOST = 25e6;

export function partsOf(old: string, now: string): readonly Part[] {
  const [one, other] = [[...old], [...now]];
  let [start, end] = [0, 0];
  const most = Math.min(one.length, other.length);
  while (start < most && one[start] === other[start]) start += 1;
  while (end < most - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const [before, behind] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  const parts: Part[] = [];
  let [gone, come] = ["", ""];
  const keep = (text: string): void => {
    if (text === "") return;
    if (gone !== "") parts.push(["remove", gone]);
    if (come !== "") parts.push(["insert", come]);
    [gone, come] = ["", ""];
    const last = parts.at(-1);
    if (last?.[0] === "keep") parts[parts.length - 1] = ["keep", last[1] + text];
    else parts.push(["keep", text]);
  };
  keep(one.slice(0, start).join(""));
  const [height, width] = [before.length, behind.length];
  if (height * width > MOST) [gone, come] = [before.join(""), behind.join("")];
  else {
    // How much the rests have in common, from each pair of places on.
    const common = Array.from({ length: height + 1 }, () => new Uint32Array(width + 1));
    for (let a = height - 1; a >= 0; a--) {
      const [row, next] = [common[a] as Uint32Array, common[a + 1] as Uint32Array];
      for (let b = width - 1; b >= 0; b--) row[b] = before[a] === behind[b] ? (next[b + 1] ?? 0) + 1 : Math.max(next[b] ?? 0, row[b + 1] ?? 0);
    }
    let [a, b] = [0, 0];
    while (a < height || b < width) {
      if (a < height && b < width && before[a] === behind[b]) {
        keep(before[a] ?? "");
        a += 1;
        b += 1;
      } else if (b >= width || (a < height && (common[a + 1]?.[b] ?? 0) >= (common[a]?.[b + 1] ?? 0))) gone += before[a++] ?? "";
      else come += behind[b++] ?? "";
    }
  }
  const rest = one.slice(one.length - end).join("");
  if (rest !== "") keep(rest);
  else {
    if (gone !== "") parts.push(["remove", gone]);
    if (come !== "") parts.push(["insert", come]);
  }
  return parts;
}
