// Where documents are reached. Their names travel inside the messages, so that they need no encoding here.

/** The address of the Hocuspocus endpoint on the host that served the page. */
export function socketBase(page: { readonly protocol: string; readonly host: string }): string {
  return `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}/hocuspocus`;
}
