// Where a document's socket lives. Document names travel in a path, so everything in them that a path or the provider
// would read as syntax is percent-encoded here and nowhere else.

/** The address of the y-websocket endpoint on the host that served the page. */
export function socketBase(page: { readonly protocol: string; readonly host: string }): string {
  return `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}/ws`;
}

/**
 * The room name as y-websocket wants it: it is put into the address as it stands, so a `?`, `#`, `%` or space would
 * change the address. Slashes are encoded too, which keeps names such as `a/../b` from being resolved as paths.
 */
export function roomPath(document: string): string {
  return encodeURIComponent(document);
}
