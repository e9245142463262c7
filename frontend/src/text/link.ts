// What a person types as a link address, made into one that may be followed, or refused.

/** Schemes that lead somewhere and cannot run anything in this page. */
const ALLOWED = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address to store, `""` for "no link", or `null` when it cannot be one. */
export function linkFrom(typed: string): string | null {
  const text = typed.trim();
  if (text === "") return "";
  if (/^[^\s@/:]+@[^\s@/:]+\.[^\s@/:]+$/.test(text)) return `mailto:${text}`;
  // A path within this server, such as another document.
  if (/^\/(?!\/)/.test(text)) return text;
  // "localhost:8080" and "host.tld:80/x" parse as schemes; a digit after the colon says they are hosts.
  const hasScheme = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(text);
  const url = parse(hasScheme ? text : `https://${text}`);
  if (url === null || !ALLOWED.has(url.protocol)) return null;
  if (!hasScheme && !url.hostname.includes(".") && url.hostname !== "localhost") return null;
  return url.href;
}

/** An address as a person writes it: without the scheme that everybody means, and with letters in place of their codes. */
export function readable(address: string): string {
  const words = address.replace(/^(https?:\/\/|mailto:)/, "").replace(/\/$/, "");
  try {
    return decodeURI(words);
  } catch {
    return words;
  }
}

function parse(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
