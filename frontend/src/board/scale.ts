/** Pixels per scene unit in an exported PNG: sharp on a screen of twice the density. */
const SHARP = 2;

/** Browsers make no canvas larger than this, and say nothing but that there is no picture. In px, and in px of area. */
const LONGEST = 16_384;
const LARGEST = 2 ** 26;

/** How large a picture of a drawing of this size can be. */
export function scaleOf(width: number, height: number): number {
  return Math.min(SHARP, LONGEST / Math.max(width, height, 1), Math.sqrt(LARGEST / Math.max(width * height, 1)));
}
