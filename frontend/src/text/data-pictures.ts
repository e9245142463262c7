// Pictures that come as part of an address (`data:`), in what is pasted or imported. Their bytes must not enter the
// document, so each becomes a file, is stored like every other picture, and the document gets the address it has then. So
// does a picture of another document: it would go with that one.
import type { JSONContent } from "@tiptap/core";
import { isElsewhere } from "../documents/pictures";

/** Stores a picture and answers its address; `null` if it cannot be stored. */
export type Keep = (file: File) => Promise<string | null>;

const isDataPicture = (address: unknown): address is string => typeof address === "string" && /^\s*data:image\//i.test(address);

/** The file that a data address is; `null` if it cannot be read. */
export function fileOf(address: string, words: string): File | null {
  const [, type, parameters = "", data = ""] = /^\s*data:(image\/[\w.+-]+)((?:;[^;,]*)*),(.*)$/is.exec(address) ?? [];
  if (type === undefined) return null;
  try {
    const text = decodeURIComponent(data);
    const bytes = /;\s*base64$/i.test(parameters) ? Uint8Array.from(atob(text.replace(/\s/g, "")), (letter) => letter.charCodeAt(0)) : new TextEncoder().encode(text);
    return new File([bytes], words || "image", { type: type.toLowerCase() });
  } catch {
    return null;
  }
}

/** Takes the pictures of other documents along. One that is gone stays what it is. */
export async function takeAlong(root: ParentNode, own: string, keep: Keep): Promise<void> {
  const take = async (picture: Element): Promise<void> => {
    const address = picture.getAttribute("src");
    if (!isElsewhere(address, own)) return;
    const response = await fetch(address).catch(() => null);
    if (response?.ok !== true) return;
    const bytes = await response.blob();
    const kept = await keep(new File([bytes], picture.getAttribute("alt") ?? "", { type: bytes.type }));
    if (kept !== null) picture.setAttribute("src", kept);
  };
  await Promise.all([...root.querySelectorAll("img[src]")].map(take));
}

/** In HTML. Answers how many had to be left out. */
export async function keepInHtml(root: ParentNode, keep: Keep): Promise<number> {
  const pictures = [...root.querySelectorAll("img[src]")].filter((picture) => isDataPicture(picture.getAttribute("src")));
  const kept = await Promise.all(
    pictures.map(async (picture) => {
      const file = fileOf(picture.getAttribute("src") ?? "", picture.getAttribute("alt") ?? "");
      const address = file && (await keep(file));
      if (address) picture.setAttribute("src", address);
      else picture.remove();
      return address;
    }),
  );
  return kept.filter((address) => !address).length;
}

/** In Markdown, before it is read: its reader takes none of these addresses, and would leave them as words. */
export async function keepInMarkdown(markdown: string, keep: Keep): Promise<{ readonly markdown: string; readonly lost: number }> {
  const addresses = new Set([...markdown.matchAll(IN_MARKDOWN)].map(([, , address = ""]) => address));
  const kept = new Map(
    await Promise.all(
      [...addresses].map(async (address) => {
        const file = fileOf(address, "");
        return [address, file && (await keep(file))] as const;
      }),
    ),
  );
  return {
    markdown: markdown.replace(IN_MARKDOWN, (_all, before: string, address: string) => `${before}${kept.get(address) ?? LOST}`),
    lost: [...kept.values()].filter((address) => address === null).length,
  };
}

/** A text without the pictures that could not be stored. */
export function withoutLost(content: JSONContent): JSONContent {
  return content.content ? { ...content, content: content.content.filter(({ attrs }) => attrs?.["src"] !== LOST).map(withoutLost) } : content;
}

/** Stands where an address was whose picture could not be stored. */
const LOST = "lost:picture";

/** Where the address of a picture can stand: in brackets, as a reference, in HTML. */
const IN_MARKDOWN = /(\]\(\s*<?|\]:\s*<?|\bsrc\s*=\s*["']?)(data:image\/[^\s)>"']+)/gi;
