// The colours words and their background can have: names, so that each theme has its own shade of them that can be read
// (text.css), and other programs' colours as the nearest of them.

export const COLOURS = ["grey", "red", "orange", "yellow", "green", "blue", "purple", "pink"] as const;
export type Colour = (typeof COLOURS)[number];

export const isColour = (value: unknown): value is Colour => (COLOURS as readonly unknown[]).includes(value);

/** In degrees, up to where each hue goes. */
const HUES: readonly (readonly [number, Colour])[] = [[18, "red"], [43, "orange"], [68, "yellow"], [165, "green"], [250, "blue"], [290, "purple"], [345, "pink"], [361, "red"]];

/** What programs write links in: no colour that anybody chose. */
const OF_LINKS = new Set(["5,99,193", "17,85,204", "0,0,238", "0,0,255", "149,79,114"]);

/** The nearest of the colours to one of a style; `null` for black, white and what is no colour. */
export function nearestColour(style: string): Colour | null {
  if (isColour(style)) return style;
  const rgb = rgbOf(style.trim().toLowerCase());
  if (rgb === null || OF_LINKS.has(rgb.join())) return null;
  const [red, green, blue] = rgb;
  const [most, least] = [Math.max(...rgb), Math.min(...rgb)];
  const [spread, light] = [most - least, (most + least) / 510];
  const saturation = spread === 0 ? 0 : spread / 255 / (1 - Math.abs(2 * light - 1));
  if (saturation < 0.2 || light < 0.12 || light > 0.97) return light > 0.3 && light < 0.85 ? "grey" : null;
  const hue = (most === red ? ((green - blue) / spread + 6) % 6 : most === green ? (blue - red) / spread + 2 : (red - green) / spread + 4) * 60;
  return HUES.find(([end]) => hue < end)?.[1] ?? null;
}

/** The names that programs use for what they highlight with, and those above. */
const NAMED: Readonly<Record<string, string>> = { red: "#ff0000", orange: "#ffa500", yellow: "#ffff00", lime: "#00ff00", green: "#008000", aqua: "#00ffff", cyan: "#00ffff", blue: "#0000fe", navy: "#000080", purple: "#800080", fuchsia: "#ff00ff", magenta: "#ff00ff", maroon: "#800000", teal: "#008080", olive: "#808000", gray: "#808080", grey: "#808080", silver: "#c0c0c0", pink: "#ffc0cb" };

function rgbOf(style: string): readonly [number, number, number] | null {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/.exec(NAMED[style] ?? style)?.[1];
  if (hex !== undefined) {
    const [r = "", g = "", b = ""] = hex.length === 3 ? [...hex].map((digit) => digit + digit) : [hex.slice(0, 2), hex.slice(2, 4), hex.slice(4)];
    return [parseInt(r, 16), parseInt(g, 16), parseInt(b, 16)];
  }
  const [, r, g, b, alpha] = /^rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+%?))?\s*\)$/.exec(style) ?? [];
  return r === undefined || g === undefined || b === undefined || parseFloat(alpha ?? "1") === 0 ? null : [Number(r), Number(g), Number(b)];
}
