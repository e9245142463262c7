// F6 goes from one part of the page to the next, as it does in browsers and desktops: bar, tools, text or board, panels.

const REGIONS = "header.bar, .tools-place, [role=search], .prose, .cm-content, .excalidraw-container, main:not(:has(.prose, .cm-content, .excalidraw-container)), aside[aria-label]";
const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), [tabindex]";

export function goToNextRegion(backwards: boolean): void {
  const regions = [...document.querySelectorAll<HTMLElement>(REGIONS)].flatMap((region) => {
    const entrance = entranceOf(region);
    return region.checkVisibility() && entrance !== null ? [{ region, entrance }] : [];
  });
  const here = regions.findLastIndex(({ region }) => region.contains(document.activeElement));
  const next = backwards ? (here < 0 ? regions.length : here) - 1 : here + 1;
  regions.at(next % regions.length)?.entrance.focus();
}

/** The region itself, if it takes the keys, else the first thing in it that does. */
function entranceOf(region: HTMLElement): HTMLElement | null {
  if (region.isContentEditable || region.hasAttribute("tabindex")) return region;
  return [...region.querySelectorAll<HTMLElement>(FOCUSABLE)].find((element) => element.tabIndex >= 0 && element.checkVisibility()) ?? null;
}
