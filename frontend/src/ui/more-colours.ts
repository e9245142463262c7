// A colour for whoever comes when all of ours are worn: any that carries white letters and stands out on both papers, as
// colours.test.ts asks of the others. Fetched when it happens.

/** As bright as ours are: between what white letters and what a caret on the dark paper need. WCAG's relative luminance. */
const LUMINANCE = 0.155;

export function anotherColour(taken: ReadonlySet<string>, random: () => number = Math.random): string {
  for (;;) {
    const light = [random(), random(), random()] as const;
    const scale = LUMINANCE / (0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]);
    const channels = light.map((value) => value * scale);
    if (!channels.every((value) => value <= 1)) continue;
    const colour = `#${channels.map((value) => Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055)).toString(16).padStart(2, "0")).join("")}`;
    if (!taken.has(colour)) return colour;
  }
}
