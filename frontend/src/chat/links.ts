// The addresses in a message. Only what says http or https leads anywhere, and nothing is ever markup.

export interface Piece {
  readonly text: string;
  /** Where it leads; `null` for plain words. */
  readonly href: string | null;
}

/** Up to the first character that no address has; Chinese writes without spaces, so its punctuation ends one too. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/giu;

export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTail(match[0]);
    const href = hrefOf(address);
    if (href === null) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index), href: null });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end), href: null });
  return found;
}

/** What ends the sentence does not end the address; a bracket does if it was opened in it. */
function withoutTail(address: string): string {
  let text = address;
  for (;;) {
    const last = text.at(-1) ?? "";
    const open = { ")": "(", "]": "[", "}": "{" }[last];
    const closes = open !== undefined && text.split(last).length > text.split(open).length;
    if (!closes && !/[.,;:!?]/.test(last)) return text;
    text = text.slice(0, -1);
  }
}

function hrefOf(address: string): string | null {
  try {
    const url = new URL(address);
    const web = url.protocol === "https:" || url.protocol === "http:";
    // "https://bank.example@evil.example" reads like one place and leads to another.
    return web && url.username === "" && url.password === "" ? url.href : null;
  } catch {
    return null;
  }
}
